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
}
