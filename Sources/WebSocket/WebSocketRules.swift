package import Bytes

/// What holds for the WebSockets of one listener.
package struct WebSocketRules: Equatable, Sendable {
    /// The subprotocols that are spoken here, best first; a client must offer one [MQTT-6.0.0-3]. `mqttv3.1` is what
    /// clients of MQTT 3.1 say [M-50]. Empty where no subprotocol is agreed on.
    package var subprotocols: [ByteString] = ["mqtt", "mqttv3.1"]
    /// The origins whose pages may connect (mosquitto's `websockets_origin`), without regard to case; empty for all.
    /// Clients that are no browsers send no Origin and are not asked for one [M-51].
    package var origins: [ByteString] = []
    /// Whether messages of text are taken. MQTT never does [MQTT-6.0.0-1]; the echo of the conformance tests does.
    package var takesText = false

    package init() {}
}

/// What a WebSocket bounds, whoever the peer is.
package enum WebSocketLimits {
    /// Bytes of the opening handshake, its empty line included.
    package static let requestBytesMax = 8 << 10
    /// Header fields of the opening handshake.
    package static let requestFieldsMax = 64
    /// Frames without a byte of a message in them, from one such byte to the next; pings and pongs apart [M-53].
    package static let emptyFramesMax = 1_000
    /// Bytes of pongs that wait for their place: beyond that only the newest ping is answered (RFC 6455 §5.5.3).
    package static let pongBytesMax = 2 << 10
    /// Bytes of MQTT in one frame of ours: a receiver need not wait for more to see the first of them, and its length
    /// fits two bytes.
    package static let frameBytesMax = 0xFFFF
}
