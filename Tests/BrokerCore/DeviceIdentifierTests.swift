import Bytes
import Messaging
import Testing

@testable import BrokerCore

@Suite struct DeviceIdentifierTests {
    @Test("The MsgIds of deliveries to devices go from 1 to 0x7FFF and begin again, those for clients to 0xFFFF [D-54]")
    func range() {
        var session = Session(clientID: "dev", userName: nil, expiryInterval: 0)
        let forClients = (0..<0x1_0000).map { _ in session.nextPacketIdentifier() }
        #expect(forClients.min() == 1 && forClients.max() == 0xFFFF)
        session.isDevice = true
        let forDevices = (0..<0x8000).map { _ in session.nextPacketIdentifier() }
        #expect(forDevices.min() == 1 && forDevices.max() == 0x7FFF && forDevices.last == forDevices.first)
    }

    @Test("A new session begins with the MsgId that its link brought, one that goes on continues [D-54] [attack 124]")
    func first() {
        var world = BrokerWorld()
        #expect(world.identifiers(first: 0x7FFF, clean: true) == [0x7FFF, 1])
        #expect(world.identifiers(first: 500, clean: false) == [2, 3])
        #expect(world.identifiers(first: 500, clean: true) == [500, 501])
    }
}

extension BrokerWorld {
    /// What two messages at QoS 1 for the device come under.
    fileprivate mutating func identifiers(first: UInt16, clean: Bool) -> [UInt16] {
        let link = LinkID.device(1)
        ask(
            link,
            .attach(
                SessionOffer(
                    clientID: "dev", cleanStart: clean, sessionExpiryInterval: .max, pace: .oneAtATime,
                    firstPacketIdentifier: first)))
        subscribe(link, "a")
        let writer = client("writer")
        var identifiers: [UInt16] = []
        for _ in 0..<2 {
            publish(writer, "a", "x", .atLeastOnce)
            for message in messages(link) {
                identifiers.append(message.packetIdentifier)
                ask(link, .acknowledge(Acknowledgement(.puback, message.packetIdentifier)))
            }
        }
        ask(link, .detach(Farewell(publishesWill: false)))
        return identifiers
    }
}
