import Testing

@testable import ConnectionCore

@Suite struct OutputGateTests {
    @Test("Two marks move on with what is safe and with what is written")
    func marks() {
        var gate = OutputGate()
        #expect(gate.isOpen)
        gate.close(at: 10, until: 1)
        gate.close(at: 20, until: 1)
        #expect(gate.position == 10)
        gate.close(at: 30, until: 2)
        gate.consume(10)
        #expect(gate.position == 0)
        gate.open(upTo: 0)
        #expect(gate.position == 0)
        gate.open(upTo: 1)
        #expect(gate.position == 20)
        gate.consume(20)
        gate.open(upTo: 2)
        #expect(gate.isOpen)
    }

    @Test("A third batch waits with the second")
    func third() {
        var gate = OutputGate()
        for batch in 1...3 as ClosedRange<UInt64> { gate.close(at: Int(batch) * 10, until: batch) }
        gate.open(upTo: 1)
        #expect(gate.position == 20)
        gate.open(upTo: 2)
        #expect(gate.position == 20)
        gate.open(upTo: 3)
        #expect(gate.isOpen)
    }

    @Test("A later batch opens for the earlier ones too")
    func skips() {
        var gate = OutputGate()
        gate.close(at: 1, until: 1)
        gate.close(at: 2, until: 2)
        gate.open(upTo: 7)
        #expect(gate.isOpen)
        gate.close(at: 5, until: 8)
        #expect(gate.position == 5)
    }
}
