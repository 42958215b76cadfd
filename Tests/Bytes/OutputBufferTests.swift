import Bytes
import Testing

@Suite struct OutputBufferTests {
    @Test("What is appended waits in order, numbers big-endian")
    func appending() {
        var buffer = OutputBuffer()
        defer { buffer.consume(buffer.count, keptBytesMax: 0) }
        #expect(buffer.isEmpty && buffer.pending.isEmpty)
        buffer.append(0x01 as UInt8)
        buffer.append(0x0203 as UInt16)
        buffer.append(0x0405_0607 as UInt32)
        buffer.append("ab" as ByteString)
        ByteString("xyz").withView { buffer.appendLengthPrefixed($0) }
        buffer.append(.empty)
        #expect(ByteString(buffer.pending).bytes == [1, 2, 3, 4, 5, 6, 7, 0x61, 0x62, 0, 3, 0x78, 0x79, 0x7A])
        buffer.patch(0xFFFE, at: 1)
        #expect(ByteString(buffer.pending[0..<4]).bytes == [1, 0xFF, 0xFE, 4])
        buffer.consume(7)
        #expect(ByteString(buffer.view(from: 2)).bytes == [0, 3, 0x78, 0x79, 0x7A])
        #expect(buffer.view(from: 7).isEmpty)
        buffer.truncate(to: 2)
        #expect(ByteString(buffer.pending) == "ab")
        buffer.patch(0x6364, at: 0)
        #expect(ByteString(buffer.pending) == "cd")
    }

    @Test("Appending and consuming in any measure loses nothing", arguments: [1, 7, 100, 511, 512, 513, 5_000])
    func flow(step: Int) {
        var buffer = OutputBuffer()
        defer { buffer.consume(buffer.count, keptBytesMax: 0) }
        var written = 0
        var read = 0
        for round in 0..<400 {
            let chunk = (0..<(step * (round % 3))).map { UInt8(truncatingIfNeeded: written + $0) }
            buffer.append(ByteString(chunk))
            written += chunk.count
            let count = min(buffer.count, step + round % 5)
            for offset in 0..<count where buffer.pending[offset] != UInt8(truncatingIfNeeded: read + offset) {
                Issue.record("byte \(read + offset)")
            }
            buffer.consume(count)
            read += count
            #expect(buffer.count == written - read)
        }
    }

    @Test("An emptied buffer gives large memory back and keeps small memory")
    func memory() {
        var buffer = OutputBuffer()
        let start = buffer.reserve(100)
        buffer.advance(by: 100)
        buffer.consume(100)
        #expect(buffer.reserve(100) == start)
        _ = buffer.reserve(100_000)
        buffer.advance(by: 100_000)
        buffer.consume(100_000)
        #expect(buffer.isEmpty && buffer.pending.isEmpty)
        buffer.append(1 as UInt8)
        #expect(buffer.count == 1)
        buffer.consume(1, keptBytesMax: 0)
    }

    @Test("A nearly full buffer that is drained in small pieces does not move its bytes for each of them")
    func slowReader() {
        var buffer = OutputBuffer()
        defer { buffer.consume(buffer.count, keptBytesMax: 0) }
        _ = buffer.reserve(65_500)
        buffer.advance(by: 65_500)
        var moves = 0
        var last = UnsafeRawPointer(buffer.reserve(0))
        for _ in 0..<20_000 {
            buffer.consume(4)
            let next = UnsafeRawPointer(buffer.reserve(4))
            if next != last { moves += 1 }
            buffer.advance(by: 4)
            last = next + 4
        }
        #expect(buffer.count == 65_500)
        #expect(moves <= 4)
    }
}
