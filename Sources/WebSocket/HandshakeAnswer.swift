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
        return ByteString(Self.base64(digest))
    }

    private static func base64(_ bytes: [UInt8]) -> [UInt8] {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = (0..<3).reduce(0) { $0 << 8 | ($1 < group.count ? Int(group[start + $1]) : 0) }
            for place in 0...3 {
                text.append(place <= group.count ? digits[bits >> (18 - 6 * place) & 0x3F] : UInt8(ascii: "="))
            }
        }
        return text
    }
}
