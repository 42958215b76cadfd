internal import Bytes

extension DirectiveTable {
    /// What MQTT 5 clients are told.
    static let answerRows: [Directive] = [
        // Each alias remembers a name and is looked for among the others: more than so many cost more than they save.
        .number("max_topic_alias_broker", in: .mqttListener, 0...255) {
            $0.listener.mqtt.outgoingAliasMax = UInt16($1)
        },
        .flag("check_payload_format") { $0.configuration.answers.checksPayloadFormat = $1 },
        .text("response_information", "the beginning of a topic, such as replies/%c/") {
            $0.setResponseInformation($1)
        },
        .text("server_reference", "HOST[:PORT], one or more") { $0.setServerReferences($1) },
        .word("server_reference_mode", ["use_another", "moved"]) { $0.configuration.answers.hasMoved = $1 == "moved" },
        .flag("redirect_clients") { $0.configuration.answers.redirectsClients = $1 },
    ]
}

extension ConfigurationDraft {
    /// Bytes of what goes into each CONNACK: it stays a small packet.
    private static let answerBytesMax = 1_024

    /// `response_information replies/%c/`.
    fileprivate mutating func setResponseInformation(_ statement: Statement) {
        let value = statement.value
        if value.contains(UInt8(ascii: "+")) || value.contains(UInt8(ascii: "#")) {
            report(
                .error, at: statement.location,
                "\"response_information\" is the beginning of a topic name and has no wildcard, + or #")
        } else if value.count > Self.answerBytesMax {
            reportTooLong(statement)
        } else {
            configuration.answers.responseInformation = ByteString(value)
        }
    }

    /// `server_reference HOST[:PORT] …`, with blanks between them (MQTT 5.0 §4.11).
    fileprivate mutating func setServerReferences(_ statement: Statement) {
        if statement.value.count > Self.answerBytesMax { return reportTooLong(statement) }
        configuration.answers.serverReferences = ByteString(statement.words.joined(separator: " "))
    }

    private mutating func reportTooLong(_ statement: Statement) {
        report(
            .error, at: statement.location,
            "\(statement.name.quoted) has \(statement.value.count) bytes; \(Self.answerBytesMax) at most")
    }

    /// Clients that are sent away without being told where would not come back.
    mutating func checkRedirection(_ mainFile: String) {
        let answers = configuration.answers
        guard answers.redirectsClients, answers.serverReferences.isEmpty else { return }
        report(
            .error, at: FileLocation(file: mainFile, line: 0),
            "redirect_clients turns every client away and needs `server_reference HOST:PORT`")
    }
}
