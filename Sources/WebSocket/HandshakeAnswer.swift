internal import Bytes
internal import COpenSSL

extension HandshakeRequest {
    /// Writes 101, with which the connection becomes a WebSocket (RFC 6455 §4.2.2). Extensions that were offered,
    /// compression among them, are passed over, and so not in force.
    func appendAnswer(to output: inout OutputBuffer) {
        output.appendText("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        output.appendText("Sec-WebSocket-Accept: ")
        output.append(acceptKey)
        if let subprotocol {
            output.appendText("\r\nSec-WebSocket-Protocol: ")
            output.append(subprotocol)  // [MQTT-6.0.0-4]
        }
        output.appendText("\r\n\r\n")
    }

    /// The proof that the request was understood: base64 of the SHA-1 of its key and a constant of the standard.
    private var acceptKey: ByteString {
        let proven = key.bytes + Array("258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8)
        var digest = [UInt8](repeating: 0, count: 20)
        let isDone = copenssl_sha1(proven, proven.count, &digest)
        precondition(isDone, "libcrypto has no SHA-1")
        return ByteString(Base64.encode(digest))
    }
}
