package import Bytes

/// How a WebSocket came to its end.
package enum WebSocketEnd: Equatable, Sendable {
    /// The handshake was answered with an error.
    case refused(HandshakeRefusal)
    /// The client's frames broke a rule.
    case failed(WebSocketFault)
    /// The client sent Close, with or without a code.
    case closedByPeer(CloseCode?)
}

extension WebSocketEnd: CustomStringConvertible {
    package var description: String {
        switch self {
        case .refused(let refusal): "handshake refused, \(refusal)"
        case .failed(let fault): "closed with \(fault.closeCode.rawValue), \(fault)"
        case .closedByPeer(nil): "the client closed it"
        case .closedByPeer(let code?): "the client closed it with \(code.rawValue)"
        }
    }
}

/// One WebSocket on the server's side: between a transport, TCP or TLS, and MQTT (RFC 6455; MQTT 5.0 §6).
///
/// Bytes from the transport go in, MQTT's bytes come out, unmasked where they lie; MQTT's output goes back as binary
/// frames, without being copied. No socket, no clock: the time that the handshake may take is the time that CONNECT
/// may take, and the adapter's. A class, since it owns memory by hand and most connections have none.
package final class WebSocketLayer {
    /// Where the WebSocket stands.
    private enum State {
        /// The client's request is not complete. Can transition to: `open`, `ended`.
        case handshake(HandshakeReader)
        /// Frames. Can transition to: `ended`.
        case open
        /// Nothing more is read. What is left to write is written, then the transport closes.
        case ended(WebSocketEnd)
    }

    private let rules: WebSocketRules
    private var state = State.handshake(HandshakeReader())
    private var decoder: FrameDecoder
    private var writer = FrameWriter()
    /// The client's request, once it was granted.
    package private(set) var request: HandshakeRequest?

    package init(rules: WebSocketRules) {
        self.rules = rules
        decoder = FrameDecoder(takesText: rules.takesText)
    }

    deinit {
        if case .handshake(var reader) = state { reader.freeMemory() }
        writer.freeMemory()
    }

    /// How it ended; nil while bytes can come. What there is to write goes out first, then the transport closes.
    package var end: WebSocketEnd? {
        if case .ended(let end) = state { end } else { nil }
    }

    /// Frames that have begun so far: what an adapter may hold against a peer that sends many small ones.
    package var framesReceived: UInt64 { decoder.frames }

    // MARK: From the transport

    /// Takes bytes of the transport and returns what is MQTT's of them: put together at the beginning of the same
    /// memory. Packets may be split over frames, and frames hold many packets [MQTT-6.0.0-2].
    package func receive(_ bytes: UnsafeMutableRawBufferPointer) -> ByteView {
        guard let start = bytes.baseAddress else { return .empty }
        var input = bytes
        var count = 0
        while let piece = next(&input, to: start + count) {
            if case .message(_, let part, _) = piece { count += part.count }
        }
        return ByteView(start: UnsafeRawPointer(start), count: count)
    }

    /// Takes bytes from the front of `input` up to the next part of a message; nil when the input is used up.
    ///
    /// - Parameter destination: where the part goes, unmasked: the beginning of `input` or before it.
    package func next(
        _ input: inout UnsafeMutableRawBufferPointer, to destination: UnsafeMutableRawPointer
    ) -> WebSocketPiece? {
        readHandshake(&input)
        do throws(WebSocketFault) {
            while case .open = state, let piece = try decoder.next(&input, to: destination) {
                guard case .control(let opcode) = piece else { return piece }
                try controlReceived(opcode)
            }
        } catch {
            fail(error)
        }
        return nil
    }

    /// Ends the WebSocket because of what its messages say or are.
    package func fail(_ fault: WebSocketFault) {
        state = .ended(.failed(fault))
        writer.close(fault.closeCode)
    }

    private func readHandshake(_ input: inout UnsafeMutableRawBufferPointer) {
        guard case .handshake(var reader) = state else { return }
        // The collected bytes have one owner: this copy, until it goes back or is freed.
        state = .open
        var bytes = ByteView(UnsafeRawBufferPointer(input))
        do throws(HandshakeRefusal) {
            guard try reader.read(&bytes) else {
                state = .handshake(reader)
                return
            }
            let granted = try HandshakeRequest.parse(reader.head.pending, rules: rules)
            writer.writeHandshake { granted.appendAnswer(to: &$0) }
            request = granted
        } catch {
            writer.writeHandshake { error.append(to: &$0) }
            state = .ended(.refused(error))
        }
        reader.freeMemory()
        input = UnsafeMutableRawBufferPointer(rebasing: input[(input.count - bytes.count)...])
    }

    private func controlReceived(_ opcode: Opcode) throws(WebSocketFault) {
        switch opcode {
        case .ping: writer.pong(decoder.control)
        case .close:
            let code = try Self.code(inClose: decoder.control)
            state = .ended(.closedByPeer(code))
            writer.close(code ?? .normal)
        // A pong that answers nothing may come as a sign of life (§5.5.3).
        case .pong, .continuation, .text, .binary: break
        }
    }

    /// The code of a Close frame, whose reason must be text (§5.5.1, §7.4).
    private static func code(inClose payload: [UInt8]) throws(WebSocketFault) -> CloseCode? {
        if payload.isEmpty { return nil }
        guard payload.count >= 2 else { throw .closeCodeInvalid }
        let code = CloseCode(rawValue: UInt16(payload[0]) << 8 | UInt16(payload[1]))
        guard code.maySay else { throw .closeCodeInvalid }
        var validator = UTF8Validator()
        let isText = payload.withUnsafeBytes { validator.take(ByteView($0).dropFirst(2)) }
        guard isText, validator.isComplete else { throw .closeReasonInvalid }
        return code
    }

    // MARK: To the transport

    /// Whether there is something to write even if MQTT has nothing.
    package var hasOwnOutput: Bool { writer.hasOwnOutput }

    /// What to write next, given all that MQTT has to say. Valid until the layer or MQTT's output is next changed.
    ///
    /// As long as the transport takes all of it there may be more: ask again until nothing comes.
    package func pieces(for output: ByteView) -> WebSocketOutput { writer.pieces(for: output) }

    /// The transport took so many bytes of the last pieces. Returns how many of them were MQTT's, at the front of its
    /// output.
    package func wrote(_ count: Int) -> Int { writer.wrote(count) }

    /// All that is still to be written, for somebody who writes it when the layer is gone: `output`, MQTT's, in frames
    /// and what the layer has to say itself. If that may be more than `bytesMax` bytes, then only the frame that has
    /// begun and the layer's own.
    package func takeRest(of output: ByteView, bytesMax: Int) -> [UInt8] {
        let headBytesMax = 4 * (output.count / WebSocketLimits.frameBytesMax + 1)
        let isShort = output.count + headBytesMax + writer.ownBytes <= bytesMax
        var rest = isShort ? output : output[0..<writer.promised]
        var bytes: [UInt8] = []
        while !rest.isEmpty || writer.hasOwnOutput {
            let pieces = writer.pieces(for: rest)
            // Behind Close there is nothing.
            if pieces.count == 0 { break }
            for piece in [pieces.body, pieces.framing, pieces.nextBody] { bytes += piece.memory }
            rest = rest.dropFirst(writer.wrote(pieces.count))
        }
        return bytes
    }

    /// Lets a Close with this code follow all that MQTT has to say; before the handshake is done there is no word
    /// for it.
    package func close(_ code: CloseCode) {
        guard case .open = state else { return }
        writer.close(code)
    }
}
