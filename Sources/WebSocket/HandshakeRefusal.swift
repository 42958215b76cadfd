internal import Bytes

/// Why an opening handshake is not answered with 101 (RFC 6455 §4.2, RFC 9110, RFC 9112).
package enum HandshakeRefusal: Error, Equatable, Sendable {
    /// The bytes are no HTTP request: a stray control byte, a broken line, a field without a name.
    case malformed
    /// More bytes or header fields than the limits allow.
    case tooLarge
    /// Another method than GET.
    case method
    /// Another version than HTTP/1.1.
    case httpVersion
    /// No Host, or more than one.
    case host
    /// A request with a body: what follows it could not be told from frames.
    case body
    /// A field that may come once came twice.
    case repeatedField
    /// A request for something else than a WebSocket.
    case notWebSocket
    /// Another version of WebSocket than 13.
    case version
    /// Sec-WebSocket-Key is not sixteen bytes in base64.
    case key
    /// The page comes from an origin that is not allowed here.
    case origin
    /// None of the subprotocols offered is spoken here [MQTT-6.0.0-3].
    case subprotocol

    /// Code and phrase of the answer.
    package var status: StaticString {
        switch self {
        case .malformed, .host, .body, .repeatedField, .key, .subprotocol: "400 Bad Request"
        case .origin: "403 Forbidden"
        case .method: "405 Method Not Allowed"
        case .notWebSocket, .version: "426 Upgrade Required"
        case .tooLarge: "431 Request Header Fields Too Large"
        case .httpVersion: "505 HTTP Version Not Supported"
        }
    }

    /// What it is about, for the one who reads the answer and for the log.
    package var words: StaticString {
        switch self {
        case .malformed: "this is no HTTP request"
        case .tooLarge: "the request is longer than a WebSocket handshake may be"
        case .method: "a WebSocket handshake is a GET"
        case .httpVersion: "a WebSocket handshake is HTTP/1.1"
        case .host: "the request needs one Host"
        case .body: "a WebSocket handshake has no body"
        case .repeatedField: "a header field came twice"
        case .notWebSocket: "here is MQTT over WebSocket, and the request asks for no WebSocket"
        case .version: "the WebSocket version is 13"
        case .key: "Sec-WebSocket-Key must be sixteen bytes in base64"
        case .origin: "pages of this origin may not connect"
        case .subprotocol: "the subprotocol is mqtt: name it in Sec-WebSocket-Protocol"
        }
    }

    /// Fields that the answer has beyond the usual ones, each with its line end.
    private var fields: StaticString {
        switch self {
        case .method: "Connection: close\r\nAllow: GET\r\n"
        case .notWebSocket, .version:
            "Connection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        default: "Connection: close\r\n"
        }
    }

    /// Writes the answer, after which the connection closes.
    func append(to output: inout OutputBuffer) {
        output.appendText("HTTP/1.1 ")
        output.appendText(status)
        output.appendText("\r\n")
        output.appendText(fields)
        output.appendText("Content-Type: text/plain; charset=utf-8\r\nContent-Length: ")
        output.append(ByteString(String(words.utf8CodeUnitCount + 2)))
        output.appendText("\r\n\r\n")
        output.appendText(words)
        output.appendText(".\n")
    }
}

extension HandshakeRefusal: CustomStringConvertible {
    package var description: String { "\(status): \(words)" }
}

extension OutputBuffer {
    /// A text of ours.
    mutating func appendText(_ text: StaticString) {
        append(ByteView(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
