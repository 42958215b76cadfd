import BrokerCore
import Bytes
import Clockwork
import Messaging
import Testing

@Suite struct TopicTableTests {
    private static func name(_ table: TopicTable<Int>, _ topic: TopicID) -> ByteString {
        ByteString(table.name(of: topic))
    }

    @Test("A name is interned once, byte for byte [MQTT-4.7.3-4]")
    func interning() {
        var table = TopicTable(seed: 1, empty: 0)
        let long = String(repeating: "x", count: 1024)
        let names = ["a", "A", "a/b", "a/b/", "/a/b", "caf\u{E9}", "cafe\u{301}", "", long]
        let topics = names.map { name in bytes(name) { table.intern($0) } }
        #expect(Set(topics).count == names.count)
        #expect(table.count == names.count)
        for (name, topic) in zip(names, topics) {
            #expect(bytes(name) { table.intern($0) } == topic)
            #expect(bytes(name) { table.find($0) } == topic)
            #expect(Self.name(table, topic) == ByteString(name))
        }
        #expect(bytes("b") { table.find($0) } == nil)
        #expect(table.count == names.count)
    }

    @Test("Names of every length and with one byte changed are told apart")
    func lengths() {
        var table = TopicTable(seed: 2, idleMax: 100_000, empty: 0)
        var count = 0
        for length in 0...80 {
            for changed in 0...length {
                var name = [UInt8](repeating: 0x61, count: length)
                if changed < length { name[changed] = 0x62 }
                let topic = ByteString(name).withView { table.intern($0) }
                count += 1
                #expect(table.count == count)
                #expect(Self.name(table, topic) == ByteString(name))
            }
        }
    }

    @Test("Topics that nobody keeps leave, the longest unused first, and their records with them")
    func eviction() {
        var table = TopicTable(seed: 3, idleMax: 3, empty: 0)
        let kept = bytes("kept") { table.intern($0) }
        table.keep(kept)
        table[kept] = 99
        for (number, name) in ["a", "b", "c"].enumerated() {
            let topic = bytes(name) { table.intern($0) }
            table[topic] = number + 1
        }
        #expect(table.idleCount == 3 && table.count == 4)
        let first = bytes("a") { table.intern($0) }
        #expect(table[first] == 1)
        let evicted = bytes("b") { table.find($0) }
        let newcomer = bytes("d") { table.intern($0) }
        #expect(bytes("b") { table.find($0) } == nil)
        #expect(newcomer == bytes("d") { table.find($0) } && newcomer != evicted)
        #expect(table.idleCount == 3 && table.count == 4)
        #expect(table[newcomer] == 0)
        let next = bytes("e") { table.intern($0) }
        #expect(next == evicted)
        #expect(table[next] == 0)
        #expect(bytes("c") { table.find($0) } == nil)
        #expect(table[first] == 1 && table[kept] == 99)
        #expect(Self.name(table, kept) == "kept")
    }

    @Test("The last of its keepers makes a topic idle")
    func keeping() {
        var table = TopicTable(seed: 4, idleMax: 1, empty: 0)
        let topic = bytes("a") { table.intern($0) }
        table.keep(topic)
        table.keep(topic)
        table[topic] += 5
        #expect(table.idleCount == 0)
        table.forget(topic)
        #expect(table.idleCount == 0)
        table.forget(topic)
        #expect(table.idleCount == 1 && table[topic] == 5)
        table.keep(topic)
        bytes("b") { _ = table.intern($0) }
        #expect(table.count == 2)
        table.forget(topic)
        #expect(table.count == 1 && table.idleCount == 1)
        #expect(bytes("b") { table.find($0) } == nil)
        #expect(bytes("a") { table.find($0) } == topic)
    }

    @Test("The table agrees with a naive one through random use", arguments: 1...20)
    func property(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let idleMax = Int(random.below(8)) + 1
        var table = TopicTable(seed: seed, idleMax: idleMax, empty: 0)
        var keepers: [String: Int] = [:]
        var records: [String: Int] = [:]
        var idle: [String] = []
        let words = 4 + random.below(40)
        for step in 1...3_000 {
            let name = "topic/" + String(random.below(words))
            switch random.below(4) {
            case 0, 1:
                let topic = bytes(name) { table.intern($0) }
                #expect(table[topic] == records[name, default: 0])
                table[topic] = step
                records[name] = step
                idle.removeAll { $0 == name }
                if keepers[name] == nil { idle.append(name) }
            case 2:
                guard let topic = bytes(name, { table.find($0) }) else { continue }
                table.keep(topic)
                keepers[name, default: 0] += 1
                idle.removeAll { $0 == name }
            default:
                guard let count = keepers[name], let topic = bytes(name, { table.find($0) }) else { continue }
                table.forget(topic)
                keepers[name] = count == 1 ? nil : count - 1
                if count == 1 { idle.append(name) }
            }
            if idle.count > idleMax { records[idle.removeFirst()] = nil }
            #expect(table.idleCount == idle.count)
            #expect(table.count == records.count)
        }
        for (name, record) in records {
            let topic = bytes(name) { table.find($0) }
            #expect(topic.map { table[$0] } == record)
        }
    }

    @Test("100,000 names pass through without growth [attack 55]")
    func explosion() {
        var table = TopicTable(seed: 5, idleMax: 100, empty: 0)
        var memory = 0
        for number in 0..<100_000 {
            bytes("flood/\(number)") { _ = table.intern($0) }
            if number == 1_000 { memory = table.bytes }
        }
        #expect(table.count == 100)
        #expect(table.bytes <= memory + 200)
    }

    @Test("A name stays where it is while the table grows around it")
    func stability() {
        var table = TopicTable(seed: 6, idleMax: 100_000, empty: 0)
        let topic = bytes("here") { table.intern($0) }
        table.keep(topic)
        let start = table.name(of: topic).memory.baseAddress
        for number in 0..<50_000 { bytes("grow/\(number)") { _ = table.intern($0) } }
        #expect(table.name(of: topic).memory.baseAddress == start)
    }

    @Test("A copy of the table and the original change apart")
    func copying() {
        var table = TopicTable(seed: 7, idleMax: 2, empty: 0)
        let topic = bytes("a") { table.intern($0) }
        bytes("b") { _ = table.intern($0) }
        var copy = table
        for name in ["c", "d", "e"] { bytes(name) { _ = copy.intern($0) } }
        #expect(Self.name(table, topic) == "a")
        bytes("f") { _ = table.intern($0) }
        #expect(bytes("e") { copy.find($0) }.map { Self.name(copy, $0) } == "e")
        #expect(bytes("d") { copy.find($0) }.map { Self.name(copy, $0) } == "d")
        #expect(bytes("b") { table.find($0) }.map { Self.name(table, $0) } == "b")
        #expect(bytes("a") { table.find($0) } == nil)
    }
}
