import Testing

@testable import Transport

@Suite struct ReadPaceTests {
    @Test("A connection begins small and reads more while its packets are cheap")
    func grows() {
        var pace = ReadPace.ofConnection
        #expect(pace.amount == 4 << 10)
        for _ in 0..<10 { pace.note(pace.amount, work: 100, within: ReadPace.bytes) }
        #expect(pace.amount == 64 << 10)
    }

    @Test("A read that was not full says nothing about the next")
    func stays() {
        var pace = ReadPace.ofConnection
        pace.note(100, work: 0, within: ReadPace.bytes)
        #expect(pace.amount == 4 << 10)
    }

    @Test("Packets that go to very many are read in small pieces [attack 12]")
    func shrinks() {
        var pace = ReadPace.ofConnection
        for _ in 0..<10 { pace.note(pace.amount, work: 0, within: ReadPace.bytes) }
        pace.note(pace.amount, work: 10 * ReadPace.workMax, within: ReadPace.bytes)
        #expect(pace.amount == (64 << 10) / 10)
        pace.note(pace.amount, work: .max / (1 << 20), within: ReadPace.bytes)
        #expect(pace.amount == 64)
    }

    @Test("Datagrams that go to very many are received one by one, and cheap ones 64 at a time [attack 12]")
    func datagrams() {
        var pace = ReadPace.ofDatagrams
        for _ in 0..<4 { pace.note(pace.amount, work: 100, within: ReadPace.datagrams) }
        #expect(pace.amount == 64)
        pace.note(64, work: 64 * ReadPace.workMax / 2, within: ReadPace.datagrams)
        #expect(pace.amount == 2)
        pace.note(2, work: 2 * ReadPace.workMax, within: ReadPace.datagrams)
        #expect(pace.amount == 1)
        pace.note(1, work: 1_000_000 * ReadPace.workMax, within: ReadPace.datagrams)
        #expect(pace.amount == 1)
        pace.note(1, work: 10, within: ReadPace.datagrams)
        #expect(pace.amount == 2)
    }
}
