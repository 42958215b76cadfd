package import Bytes

/// What is to be written to the transport, in this order; each part may be empty.
package struct WebSocketOutput {
    /// MQTT's output that belongs to a frame whose head is written.
    package var body: ByteView
    /// Bytes of the layer's own: the handshake's answer, control frames, the head of the next frame.
    package var framing: ByteView
    /// MQTT's output that belongs to the frame whose head ends `framing`.
    package var nextBody: ByteView

    package var count: Int { body.count + framing.count + nextBody.count }
}

/// MQTT's output as frames, of which the transport may take any number of bytes at a time.
///
/// MQTT's bytes are not copied: they stay where they are, and the writer knows how many of them a head has promised.
/// A head that was begun is followed by just its body, whatever else comes up meanwhile; control frames wait for the
/// place between two frames.
struct FrameWriter {
    /// The layer's own bytes, next in line after `bodyLeft`.
    private var framing = OutputBuffer()
    /// Pongs that wait for the next place between frames.
    private var pongs = OutputBuffer()
    /// How much of MQTT's output belongs to the frame that is being written.
    private var bodyLeft = 0
    /// How much of what follows belongs to the frame whose head ends `framing`.
    private var nextBody = 0
    /// The Close that is to be sent once MQTT's output is out.
    private var close: CloseCode?
    private var isClosed = false

    /// Whether there is something to write even if MQTT has nothing.
    var hasOwnOutput: Bool { !framing.isEmpty || !pongs.isEmpty || (close != nil && !isClosed) }

    /// How many bytes the layer has to say of its own, a Close among them.
    var ownBytes: Int { framing.count + pongs.count + 4 }

    /// How much of MQTT's output belongs to frames that have begun.
    var promised: Int { bodyLeft + nextBody }

    /// Writes into the layer's own output; only before the first frame.
    mutating func writeHandshake(_ body: (inout OutputBuffer) -> Void) {
        body(&framing)
    }

    /// Answers a ping. Of more pings than there is room for only the newest is answered (RFC 6455 §5.5.3).
    mutating func pong(_ payload: [UInt8]) {
        if pongs.count + 2 + payload.count > WebSocketLimits.pongBytesMax { pongs.truncate(to: 0) }
        FrameHeader.append(.pong, count: payload.count, to: &pongs)
        payload.withUnsafeBytes { pongs.append(ByteView($0)) }
    }

    /// Lets Close follow MQTT's last output. The first code holds.
    mutating func close(_ code: CloseCode) {
        close = close ?? code
    }

    /// What to write next of `output`, all that MQTT has. Valid until the writer or the output is next changed.
    mutating func pieces(for output: ByteView) -> WebSocketOutput {
        // Between frames: the last head has its body, the next one is not begun.
        if nextBody == 0, !isClosed { beginFrame(output.count - bodyLeft) }
        return WebSocketOutput(
            body: output[0..<bodyLeft], framing: framing.pending, nextBody: output[bodyLeft..<(bodyLeft + nextBody)])
    }

    private mutating func beginFrame(_ rest: Int) {
        framing.append(pongs.pending)
        pongs.consume(pongs.count)
        if rest > 0 {
            nextBody = min(rest, WebSocketLimits.frameBytesMax)
            FrameHeader.append(.binary, count: nextBody, to: &framing)  // [MQTT-6.0.0-1]
        } else if let close {
            FrameHeader.append(.close, count: 2, to: &framing)
            framing.append(close.rawValue)
            isClosed = true
        }
    }

    /// The transport took so many bytes of the pieces. Returns how many of them were MQTT's.
    mutating func wrote(_ count: Int) -> Int {
        let ofBody = min(count, bodyLeft)
        bodyLeft -= ofBody
        let ofFraming = min(count - ofBody, framing.count)
        framing.consume(ofFraming)
        guard framing.isEmpty, nextBody > 0 else { return ofBody }
        let ofNext = count - ofBody - ofFraming
        bodyLeft = nextBody - ofNext
        nextBody = 0
        return ofBody + ofNext
    }

    mutating func freeMemory() {
        framing.deallocate()
        pongs.deallocate()
    }
}
