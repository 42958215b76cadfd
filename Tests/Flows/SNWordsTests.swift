import Bytes
import MQTTSNWire
import Support
import Testing

@Suite struct SNWordsTests {
    /// Packets of the gateway's own codec, and what it prints of them.
    static let vectors: [PacketVector] = {
        ((try? FixtureNotation.vectors(in: "mqttsn")) ?? []).filter { vector in
            vector.packet != nil && vector.canonical != false && vector.packet?.hasPrefix("ENCAPSULATED") == false
                && vector.packet?.contains("type=reserved") == false
        }
    }()

    @Test("Words say what the gateway's own description says, and are read again", arguments: vectors)
    func agreesWithDescription(vector: PacketVector) throws {
        let bytes = try FixtureNotation.bytes(vector.hex)
        let words = try #require(SNWords(bytes))
        let printed = try bytes.withUnsafeBytes { try SNPacket.decode(ByteView($0)).description }
        // The description leaves data out, and cuts long names.
        if !printed.contains(" bytes") { #expect(words.description == printed) }
        #expect(words.fields.map(\.name).filter { $0 != "empty" } == names(in: printed))
        #expect(try words.bytes() == bytes)
        // What is written is one line; apostrophes in names are the reader's business.
        if !words.description.contains("it's") { #expect(try SNWords(words.description) == words) }
    }

    private func names(in description: String) -> [String] {
        let behind = description.split(separator: " ", maxSplits: 1).dropFirst().first.map(String.init) ?? ""
        let words = (try? Words.split(behind.replacing(" bytes)", with: ")").replacing(" bytes", with: ""))) ?? []
        return words.filter { !$0.hasPrefix("(") && $0 != "empty" }.map { SNWords.Field($0).name }
    }

    @Test("Every message that a flow can name has a packet to be held against")
    func everyMessage() {
        let shown = Set(Self.vectors.compactMap { $0.packet?.split(separator: " ").first.map(String.init) })
        #expect(Set(SNWords.Layout.all.keys).subtracting(shown) == [])
    }

    @Test(
        "What is left out has its usual value",
        arguments: [
            ("CONNACK", "CONNACK returnCode=accepted"),
            ("CONNECT clientID='a'", "CONNECT protocolID=1 duration=60s clientID='a'"),
            ("PUBLISH topicID=7 data='x'*3", "PUBLISH qos=0 type=normal topicID=0x0007 msgID=0 data='xxx'"),
            ("PUBLISH type=short topicID='ab' data=''", "PUBLISH qos=0 type=short topicID='ab' msgID=0 data=''"),
            ("SUBSCRIBE msgID=1 topicName='it\\'s'", "SUBSCRIBE qos=0 msgID=1 topicName='it's'"),
            ("DISCONNECT", "DISCONNECT"),
        ])
    func usualValues(short: String, long: String) throws {
        #expect(try SNWords(short).description == long)
    }

    @Test(
        "What is no message is refused",
        arguments: [
            "", "HELLO", "PUBACK", "CONNACK code=3", "PUBREC msgID=70000", "PUBREC msgID=x", "PINGREQ clientID='a",
            "PUBLISH topicID=1 data=x",
        ])
    func refused(text: String) {
        #expect(throws: SNWords.Malformed.self) { try SNWords(text) }
    }
}
