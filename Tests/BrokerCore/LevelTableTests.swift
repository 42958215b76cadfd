@testable import BrokerCore
import Bytes
import Clockwork
import Testing

@Suite struct LevelTableTests {
    @Test("A level has one token while somebody uses it; then the token is free for another")
    func tokens() {
        var table = LevelTable(seed: 1)
        let names = ["", "a", "b", "sixteen-bytes-xx", "seventeen-bytes-x", "a-level-of-more-than-16-bytes"]
        let tokens = names.map { name in bytes(name) { table.acquire($0) } }
        #expect(tokens == [0, 1, 2, 3, 4, 5])
        #expect(names.map { name in bytes(name) { table.acquire($0) } } == tokens)
        #expect(names.map { name in bytes(name) { table.find($0) } } == tokens.map(Optional.some))
        for token in tokens { table.release(token) }
        #expect(table.count == names.count)
        for token in tokens { table.release(token) }
        #expect(table.count == 0)
        #expect(names.map { name in bytes(name) { table.find($0) } } == names.map { _ in nil })
        #expect(bytes("another-level-of-many-bytes") { table.acquire($0) } == 5)
        #expect(bytes("another-level-of-many-bytes") { table.find($0) } == 5)
    }

    @Test("Levels come and go without growth")
    func churn() {
        var table = LevelTable(seed: 2)
        var memory = 0
        for round in 0..<5 {
            for number in 0..<1_000 {
                let short = bytes("\(round)-\(number)") { table.acquire($0) }
                let long = bytes("a-level-of-more-than-16-bytes-\(round)-\(number)") { table.acquire($0) }
                table.release(short)
                table.release(long)
            }
            if round == 0 { memory = table.bytes }
            #expect(table.count == 0 && table.bytes == memory)
        }
    }
}

@Suite struct TopicLevelsTests {
    @Test("Levels are what lies between slashes, empty ones included", arguments: 1...10)
    func split(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let count = Int(random.below(40))
            let name = String((0..<count).map { _ in random.below(3) == 0 ? "/" : "x" })
            let expected = name.split(separator: "/", omittingEmptySubsequences: false).map { ByteString(String($0)) }
            var found: [ByteString] = []
            bytes(name) { view in
                var levels = TopicLevels(view)
                while let level = levels.next() {
                    found.append(ByteString(level))
                    #expect(levels.isAtEnd == (found.count == expected.count))
                }
            }
            #expect(found == expected)
        }
    }

    @Test("A slash is told from every other byte", arguments: 0...255 as ClosedRange<UInt8>)
    func everyByte(byte: UInt8) {
        for position in 0..<17 {
            var name = [UInt8](repeating: 0x2E, count: 17)
            name[position] = byte
            ByteString(name).withView { view in
                var levels = TopicLevels(view)
                #expect(levels.next()?.count == (byte == 0x2F ? position : 17))
            }
        }
    }
}
