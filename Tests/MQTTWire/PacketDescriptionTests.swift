import Bytes
import Support
import Testing

@testable import MQTTWire

@Suite struct PacketDescriptionTests {
    static let lines: [(bytes: String, line: String)] = [
        (
            "20 0d 01 00 0a 21 0014 13 003c 1f 0001 'r'",
            "CONNACK sessionPresent success receiveMaximum=20 serverKeepAlive=60 reasonString='r'"
        ),
        (
            "3b 1a 0001 'a' 0009 11 23 0003 26 0001 'k' 0001 'v' 09 0002 0001 0b 07 'pay'",
            "PUBLISH qos=1 dup retain topic='a' id=9 topicAlias=3 userProperty='k':'v' correlationData=2 bytes "
                + "subscriptionIdentifier=7 payload=3 bytes"
        ),
        ("40 09 0005 97 05 1f 0002 1b 'r'", "PUBACK id=5 quotaExceeded reasonString='\\x1br'"),
        ("62 02 0005", "PUBREL id=5 success"),
        (
            "82 0b 0001 02 0b 05 0003 'a/#' 2d",
            "SUBSCRIBE id=1 subscriptionIdentifier=5 'a/#'(qos=1 noLocal "
                + "retainAsPublished doNotSend)"
        ),
        ("90 06 0001 00 00 01 87", "SUBACK id=1 grantedQoS0 grantedQoS1 notAuthorized"),
        ("a2 06 0002 00 0001 'b'", "UNSUBSCRIBE id=2 'b'"),
        ("b0 04 0002 00 11", "UNSUBACK id=2 noSubscriptionExisted"),
        ("c0 00", "PINGREQ"), ("d0 00", "PINGRESP"),
        ("e0 06 9d 04 1c 0001 'h'", "DISCONNECT serverMoved serverReference='h'"),
        (
            "f0 09 18 07 15 0001 'm' 16 0000",
            "AUTH continueAuthentication authenticationMethod='m' "
                + "authenticationData=0 bytes"
        ),
    ]

    @Test("A packet on one line, with every property in its order", arguments: lines)
    func line(bytes: String, line: String) throws {
        #expect(try describe(FixtureNotation.bytes(bytes)) == line)
    }

    @Test("CONNECT shows will and name, and of the password only how long it is")
    func connect() throws {
        let bytes = try FixtureNotation.bytes(
            "10 27 0004 'MQTT' 05 c6 003c 05 11 0000000a 0001 'p' 05 18 00000003 0001 'w' 0001 'x' 0001 'u' 0003 'pwd'")
        #expect(
            try describe(bytes)
                == "CONNECT version=v5 cleanStart keepAlive=60s sessionExpiryInterval=10 clientID='p' "
                + "will(qos=0 topic='w' willDelayInterval=3 payload=1 bytes) userName='u' password=3 bytes")
    }

    @Test("A long string is cut")
    func longString() throws {
        let text = try describe(FixtureNotation.bytes("30 cb01 00c8 'a'*200 00"))
        #expect(text == "PUBLISH qos=0 topic='\(String(repeating: "a", count: 128))' (200 bytes) payload=0 bytes")
    }

    private func describe(_ bytes: [UInt8]) throws -> String {
        try bytes.withUnsafeBytes { memory in
            let frame = try MQTTFrame.next(in: ByteView(memory), maximumPacketSize: .max)
            return try MQTTPacket.decode(#require(frame), version: .v5).description
        }
    }
}
