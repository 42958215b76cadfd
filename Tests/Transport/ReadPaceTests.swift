import Testing

@testable import Transport

@Suite struct ReadPaceTests {
    @Test("A connection begins small and reads more while its packets are cheap")
    func grows() {
        var pace = ReadPace()
        #expect(pace.bytes == 4 << 10)
        for _ in 0..<10 { pace.note(bytes: pace.bytes, work: 100) }
        #expect(pace.bytes == ReadPace.bytesMax)
    }

    @Test("A read that was not full says nothing about the next")
    func stays() {
        var pace = ReadPace()
        pace.note(bytes: 100, work: 0)
        #expect(pace.bytes == 4 << 10)
    }

    @Test("Packets that go to very many are read in small pieces [attack 12]")
    func shrinks() {
        var pace = ReadPace()
        for _ in 0..<10 { pace.note(bytes: pace.bytes, work: 0) }
        pace.note(bytes: pace.bytes, work: 10 * ReadPace.workMax)
        #expect(pace.bytes == ReadPace.bytesMax / 10)
        pace.note(bytes: pace.bytes, work: .max / (1 << 20))
        #expect(pace.bytes == ReadPace.bytesMin)
    }
}
