import Clockwork
import MQTTSNWire
import Messaging
import Testing

@testable import GatewayCore

@Suite struct GoodbyesTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    /// How many of 100 are answered.
    private func answers(_ goodbyes: inout Goodbyes, _ port: Int, after seconds: Int = 0) -> Int {
        var count = 0
        for _ in 0..<100 where goodbyes.allows(World.path(port), at: start + .seconds(seconds)) { count += 1 }
        return count
    }

    @Test("Six answers a minute for each address, then silence [D-70]")
    func limit() {
        var goodbyes = Goodbyes()
        #expect(answers(&goodbyes, 1) == 6)
        #expect(answers(&goodbyes, 2) == 6)
        #expect(answers(&goodbyes, 1, after: 59) == 0)
        #expect(answers(&goodbyes, 1, after: 60) == 6)
    }

    @Test("So many addresses are remembered; one more makes the oldest forgotten")
    func addresses() {
        var goodbyes = Goodbyes()
        for port in 1...Goodbyes.addressesMax { #expect(answers(&goodbyes, port) == 6) }
        #expect(answers(&goodbyes, 1) == 0)
        #expect(answers(&goodbyes, 1_000) == 6)
        #expect(answers(&goodbyes, 1) == 6)
        #expect(answers(&goodbyes, 3) == 0)
    }

    @Test("Two gateways that hear each other's DISCONNECT come to an end [D-70] [attack 130]")
    func twoGateways() {
        var left = World()
        var right = World()
        // Somebody forged a DISCONNECT of the right one.
        var said = left.receive(.disconnect(duration: nil), from: 9)
        var turns = 0
        while !said.isEmpty, turns < 1_000 {
            said = right.receive(.disconnect(duration: nil), from: 8)
            if !said.isEmpty { said = left.receive(.disconnect(duration: nil), from: 9) }
            turns += 1
        }
        #expect(turns <= Goodbyes.answersMax)
    }
}
