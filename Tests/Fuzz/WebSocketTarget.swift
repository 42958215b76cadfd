import Bytes
import WebSocket

/// A WebSocket's bytes, behind a handshake that is in order or without one: read at once and in pieces they must come
/// to the same, and what is written must not grow.
func fuzzWebSocket(_ input: ByteView) {
    guard input.count > 1 else { return }
    let isOpen = input[0] & 0x80 != 0
    let size = Int(input[0] & 0x7F) + 1
    let bytes = (isOpen ? Array(webSocketRequest.utf8) : []) + Array(input.dropFirst(1).memory)
    let whole = played(bytes, by: bytes.count)
    let pieces = played(bytes, by: size)
    guard whole.received == pieces.received else { fail("other bytes come out when they are cut by \(size)") }
    guard whole.end == pieces.end else { fail("it ends otherwise when it is cut by \(size)") }
    guard whole.isOpen || !isOpen else { fail("the handshake was refused") }
}

/// A handshake as browsers send it.
let webSocketRequest = """
    GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: mqtt\r\n\r\n
    """

private func played(_ bytes: [UInt8], by size: Int) -> (received: [UInt8], end: WebSocketEnd?, isOpen: Bool) {
    let layer = WebSocketLayer(rules: WebSocketRules())
    var received: [UInt8] = []
    var rest = bytes[...]
    while !rest.isEmpty {
        var read = Array(rest.prefix(size))
        rest = rest.dropFirst(read.count)
        read.withUnsafeMutableBytes { received += Array(layer.receive($0).memory) }
        let own = layer.pieces(for: .empty)
        guard own.body.isEmpty, own.nextBody.isEmpty else { fail("a frame of nothing") }
        guard own.count <= 16 << 10 else { fail("\(own.count) bytes wait") }
        if !rest.isEmpty, rest.count & 1 == 0 { _ = layer.wrote(own.count) }
    }
    return (received, layer.end, layer.request != nil)
}
