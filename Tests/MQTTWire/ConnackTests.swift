import Bytes
import MQTTWire
import Testing

@Suite struct ConnackTests {
    let arena = Arena()

    @Test("A refusal never says that a session is present [MQTT-3.2.2-6]")
    func refusal() {
        let packet = MQTTPacket.connack(ConnackPacket(sessionPresent: true, reasonCode: .notAuthorized))
        #expect(encoded(packet, .v5) == [0x20, 0x03, 0x00, 0x87, 0x00])
        #expect(encoded(packet, .v3_1_1) == [0x20, 0x02, 0x00, 0x05])
    }

    @Test("MQTT 3.1 has no Session Present flag")
    func sessionPresent() {
        let packet = MQTTPacket.connack(ConnackPacket(sessionPresent: true, reasonCode: .success))
        #expect(encoded(packet, .v3_1) == [0x20, 0x02, 0x00, 0x00])
        #expect(encoded(packet, .v3_1_1) == [0x20, 0x02, 0x01, 0x00])
        #expect(encoded(packet, .v5) == [0x20, 0x03, 0x01, 0x00, 0x00])
    }

    @Test(
        "Reasons and properties are left out before MQTT 5", arguments: [ProtocolVersion.v3_1, .v3_1_1])
    func withoutProperties(version: ProtocolVersion) {
        let properties = arena.properties { $0.append(property: .reasonString, string: "no") }
        let ack = AckPacket(packetIdentifier: 1, reasonCode: .notAuthorized, properties: properties)
        #expect(encoded(.puback(ack), version) == [0x40, 0x02, 0x00, 0x01])
        #expect(encoded(.pubrel(AckPacket(packetIdentifier: 2)), version) == [0x62, 0x02, 0x00, 0x02])
        let farewell = DisconnectPacket(reasonCode: .serverBusy, properties: properties)
        #expect(encoded(.disconnect(farewell), version) == [0xE0, 0x00])
        let codes = ReasonCodes(raw: arena.keep([0x00]))
        let unsuback = UnsubackPacket(packetIdentifier: 3, properties: properties, reasonCodes: codes)
        #expect(encoded(.unsuback(unsuback), version) == [0xB0, 0x02, 0x00, 0x03])
        let connack = ConnackPacket(sessionPresent: false, reasonCode: .success, properties: properties)
        #expect(encoded(.connack(connack), version) == [0x20, 0x02, 0x00, 0x00])
    }
}
