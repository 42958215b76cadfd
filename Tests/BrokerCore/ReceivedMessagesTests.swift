import Clockwork
import Messaging
import Testing

@testable import BrokerCore

@Suite struct ReceivedMessagesTests {
    @Test("It finds what a dictionary finds, as it grows and shrinks", arguments: [20, 300, 2_000] as [UInt64])
    func agrees(size: UInt64) {
        var received = ReceivedMessages()
        var naive: [UInt16: UInt32] = [:]
        var random = SeededGenerator(seed: size)
        for step in 0..<20_000 as Range<UInt32> {
            let identifier = UInt16(random.below(size * 2))
            if let place = received.place(of: identifier) {
                #expect(received[place].message.index == naive[identifier])
                let shrinks = (step / 4_000).isMultiple(of: 2)
                if shrinks || random.below(4) == 0 {
                    #expect(received.remove(at: place).packetIdentifier == identifier)
                    naive[identifier] = nil
                }
            } else {
                #expect(naive[identifier] == nil)
                if naive.count < Int(size), (step / 4_000).isMultiple(of: 2) == false || naive.count < 20 {
                    received.append(
                        ReceivedMessage(
                            packetIdentifier: identifier, message: MessageHandle(index: step), retain: false))
                    naive[identifier] = step
                }
            }
            #expect(received.count == naive.count)
        }
        #expect(received.allSatisfy { naive[$0.packetIdentifier] == $0.message.index })
    }
}
