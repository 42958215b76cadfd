import Bytes
import Clockwork
import Messaging
import Reactor
import WebSocket

/// `websocket-echo PORT`: the WebSocket layer on a loopback port, with every message sent back as it came, for the
/// Autobahn test suite. Runs until it is ended by a signal.
@main
struct Echo {
    static func main() throws {
        let port = CommandLine.arguments.dropFirst().first.flatMap { UInt16($0) } ?? 9001
        let server = try EchoServer()
        try server.loop.watchSignals()
        _ = try server.loop.listen(on: PeerAddress(ipv4: 0x7F00_0001, port: port))
        server.loop.run(server)
    }
}

/// The reactor's sockets, each with its layer.
final class EchoServer: LoopHandler {
    let loop: EventLoop
    private var connections: [UInt32: EchoConnection] = [:]
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)

    init() throws {
        loop = try EventLoop()
    }

    func accepted(_ connection: Token, from peer: PeerAddress, on listener: Token, now: Now) {
        connections[connection.slot] = EchoConnection()
    }

    func readable(_ connection: Token, now: Now) {
        guard let echo = connections[connection.slot] else { return loop.close(connection) }
        switch loop.read(connection, into: buffer) {
        case .bytes(let count):
            echo.receive(UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
            write(echo, connection)
        case .wouldBlock: break
        case .ended, .failed: end(connection)
        }
    }

    func writable(_ connection: Token, now: Now) {
        guard let echo = connections[connection.slot] else { return }
        write(echo, connection)
    }

    private func write(_ echo: EchoConnection, _ connection: Token) {
        switch loop.write(connection, echo.output) {
        case .wrote(let count): echo.wrote(count)
        case .failed: return end(connection)
        }
        // A peer that sends faster than it reads is not read meanwhile.
        loop.setReading(connection, echo.output.count < 64 << 20)
        guard echo.isDone else { return }
        connections[connection.slot] = nil
        loop.finish(connection)
    }

    private func end(_ connection: Token) {
        connections[connection.slot] = nil
        loop.close(connection)
    }

    func acceptPaused(on listener: Token, because error: ReactorError, now: Now) {}
    func datagramsReadable(_ socket: Token, now: Now) {}
    func datagramsWritable(_ socket: Token, now: Now) {}
    func mailArrived(in mailbox: Token, now: Now) {}
    func signalled(_ signal: Signal, now: Now) { loop.stop() }
    func turnEnded(now: Now) -> Deadline? { nil }
}

/// One connection: collects a message and sends it back whole.
final class EchoConnection {
    /// The longest message that comes back, in bytes.
    private static let messageBytesMax = 64 << 20

    private let layer: WebSocketLayer
    private var message = OutputBuffer()
    private var text = UTF8Validator()
    private var out = OutputBuffer()

    init() {
        var rules = WebSocketRules()
        rules.subprotocols = []
        rules.takesText = true
        layer = WebSocketLayer(rules: rules)
    }

    deinit {
        message.deallocate()
        out.deallocate()
    }

    var output: ByteView { out.pending }
    var isDone: Bool { layer.end != nil && out.isEmpty }

    func wrote(_ count: Int) { out.consume(count) }

    func receive(_ bytes: UnsafeMutableRawBufferPointer) {
        var input = bytes
        while let start = input.baseAddress, let piece = layer.next(&input, to: start) {
            // Pongs leave in the order of things.
            takeOwnOutput()
            guard case .message(let kind, let part, let isLast) = piece else { continue }
            take(kind, part, isLast)
        }
        takeOwnOutput()
    }

    private func take(_ kind: Opcode, _ part: ByteView, _ isLast: Bool) {
        if kind == .text {
            let isText = text.take(part) && (!isLast || text.isComplete)
            if !isText { return layer.fail(.textInvalid) }
        }
        message.append(part)
        guard message.count <= Self.messageBytesMax else { return layer.fail(.lengthTooLong) }
        guard isLast else { return }
        FrameHeader.append(kind, count: message.count, to: &out)
        out.append(message.pending)
        message.consume(message.count)
        text = UTF8Validator()
    }

    private func takeOwnOutput() {
        while layer.hasOwnOutput {
            let pieces = layer.pieces(for: .empty)
            out.append(pieces.framing)
            _ = layer.wrote(pieces.count)
        }
    }
}
