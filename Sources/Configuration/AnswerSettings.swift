package import Bytes

/// What MQTT 5 clients are told, and what is asked of what they say.
package struct AnswerSettings: Equatable, Sendable {
    /// Whether a payload that is said to be UTF-8 is looked at (`check_payload_format`), MQTT 5.0 §3.3.2.3.2.
    package var checksPayloadFormat = false
    /// Where the response topics of a client that asks may begin (`response_information`), MQTT 5.0 §3.2.2.3.15; a
    /// level that is `%c` stands for the client's id. Empty: nothing is said.
    package var responseInformation = ByteString()
    /// The servers that clients are sent to (`server_reference`), with one space between them, MQTT 5.0 §4.11. Empty:
    /// none.
    package var serverReferences = ByteString()
    /// Whether they are to go there for good (`server_reference_mode moved`).
    package var hasMoved = false
    /// Whether they are sent there when they connect, and not only when this server goes (`redirect_clients`).
    package var redirectsClients = false

    package init() {}
}
