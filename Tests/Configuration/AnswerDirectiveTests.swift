import Bytes
import Testing

@testable import Configuration

@Suite struct AnswerDirectiveTests {
    @Test("What is said to MQTT 5 clients has its defaults")
    func defaults() throws {
        let configuration = try #require(MemorySource("listener 1883 127.0.0.1\n").outcome.configuration)
        #expect(configuration.answers == AnswerSettings())
        guard case .mqtt(let settings) = configuration.listeners[0].kind else { return }
        #expect(settings.outgoingAliasMax == 16)
    }

    @Test("Each directive goes where it belongs, and blanks between references are one space")
    func values() throws {
        let outcome = MemorySource(
            """
            listener 1883 127.0.0.1
            max_topic_alias_broker 255
            check_payload_format true
            response_information a/%c
            server_reference  a:1 \t b
            server_reference_mode moved
            redirect_clients true

            """
        ).outcome
        let configuration = try #require(outcome.configuration)
        var expected = AnswerSettings()
        expected.checksPayloadFormat = true
        expected.responseInformation = "a/%c"
        expected.serverReferences = "a:1 b"
        expected.hasMoved = true
        expected.redirectsClients = true
        #expect(configuration.answers == expected)
        guard case .mqtt(let settings) = configuration.listeners[0].kind else { return }
        #expect(settings.outgoingAliasMax == 255)
    }

    @Test("More aliases than there can be are an error, not fewer in silence", arguments: [256, 1_000, 65_535])
    func tooManyAliases(_ count: Int) {
        let outcome = MemorySource("listener 1883 127.0.0.1\nmax_topic_alias_broker \(count)\n").outcome
        #expect(outcome.configuration == nil)
        #expect(outcome.diagnostics.contains { $0.message.contains("255") })
    }

    @Test(
        "What goes into CONNACK is text as MQTT has it: UTF-8 without U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2]",
        arguments: ["response_information", "server_reference"],
        [[0xFF], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0x61, 0x00, 0x62]] as [[UInt8]])
    func text(_ name: String, _ bytes: [UInt8]) {
        let head = Array("listener 1883 127.0.0.1\n\(name) a".utf8)
        #expect(MemorySource(bytes: head + Array("\u{E9}\n".utf8)).outcome.configuration != nil)
        let outcome = MemorySource(bytes: head + bytes + [0x0A]).outcome
        #expect(outcome.configuration == nil)
        #expect(outcome.diagnostics.contains { $0.severity == .error && $0.location.line == 2 })
    }

    @Test(
        "What goes into CONNACK has 1,024 bytes at most: at it, one more, ten times",
        arguments: ["response_information", "server_reference"])
    func length(_ name: String) {
        for (count, isTaken) in [(1_024, true), (1_025, false), (10_240, false)] {
            let value = String(repeating: "x", count: count)
            let outcome = MemorySource("listener 1883 127.0.0.1\n\(name) \(value)\n").outcome
            #expect((outcome.count(of: .error) == 0) == isTaken)
        }
    }
}
