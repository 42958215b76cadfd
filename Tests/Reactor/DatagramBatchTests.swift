import Bytes
import Messaging
import Reactor
import Testing

@Suite struct DatagramBatchTests {
    private func path(_ port: UInt16) -> DatagramPath {
        DatagramPath(remote: PeerAddress(ipv4: 0x7F00_0001, port: port))
    }

    private func append(_ bytes: [UInt8], _ port: UInt16, to batch: DatagramBatch) -> Bool {
        ByteString(bytes).withView { batch.append($0, to: path(port)) }
    }

    @Test("Datagrams keep their bytes, their paths and their order")
    func order() {
        let batch = DatagramBatch()
        #expect(append([1, 2], 10, to: batch))
        #expect(append([], 11, to: batch))
        #expect(batch.append(to: path(12)) { $0.append(UInt16(0x0304)) })
        #expect((0..<3).map { ByteString(batch.bytes($0)).bytes } == [[1, 2], [], [3, 4]])
        #expect((0..<3).map { batch.path($0).remote.port } == [10, 11, 12])
    }

    @Test("At the limit of datagrams one more is dropped and counted, until there is room")
    func datagramLimit() {
        let batch = DatagramBatch(datagramsMax: 3)
        for port in 0..<3 as Range<UInt16> { #expect(append([1], port, to: batch)) }
        for _ in 0..<30 { #expect(!append([2], 9, to: batch)) }
        #expect(batch.count == 3)
        #expect(batch.dropped == 30)
        batch.removeFirst(1)
        #expect(append([3], 3, to: batch))
        #expect((0..<3).map { batch.path($0).remote.port } == [1, 2, 3])
    }

    @Test("At the limit of bytes what does not fit is dropped, what fits is taken")
    func byteLimit() {
        let batch = DatagramBatch(bytesMax: 10)
        #expect(append([UInt8](repeating: 1, count: 8), 1, to: batch))
        #expect(!append([1, 2, 3], 2, to: batch))
        #expect(append([1, 2], 3, to: batch))
        #expect(batch.dropped == 1)
        #expect(ByteString(batch.bytes(1)).bytes == [1, 2])
    }

    @Test("What is too long for UDP is dropped")
    func tooLong() {
        let batch = DatagramBatch()
        #expect(append([UInt8](repeating: 0, count: 65_535), 1, to: batch))
        #expect(!append([UInt8](repeating: 0, count: 65_536), 1, to: batch))
    }

    @Test("A batch that never quite empties keeps bytes and paths together")
    func neverEmpty() {
        let batch = DatagramBatch(bytesMax: 4096)
        var first: UInt16 = 0
        for port in 0..<20_000 as Range<UInt16> {
            let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: port), count: Int(port % 13))
            #expect(append(bytes, port, to: batch))
            if port % 3 != 0 || batch.count > 100 {
                batch.removeFirst(1)
                first += 1
            }
            guard !batch.isEmpty else { continue }
            #expect(batch.path(0).remote.port == first)
            let expected = [UInt8](repeating: UInt8(truncatingIfNeeded: first), count: Int(first % 13))
            #expect(ByteString(batch.bytes(0)).bytes == expected)
        }
    }
}
