import Bytes
import Clockwork
import Messaging
import Reactor

/// A handler that writes down what it is told and does what the test gives it to do.
final class Recorder: LoopHandler {
    enum Event: Equatable {
        case accepted(Token)
        case acceptPaused(Int32)
        case readable(Token)
        case writable(Token)
        case datagramsReadable(Token)
        case datagramsWritable(Token)
        case mail(Token)
        case signalled(Signal)
    }

    let loop: EventLoop
    var events: [Event] = []
    var connections: [Token] = []
    var peers: [PeerAddress] = []
    var turns = 0
    var deadline: Deadline?
    var onAccepted: (Token) -> Void = { _ in }
    var onReadable: (Token) -> Void = { _ in }
    var onWritable: (Token) -> Void = { _ in }
    var onDatagrams: (Token) -> Void = { _ in }
    var onMail: (Token) -> Void = { _ in }
    var onTurnEnded: () -> Void = {}

    init(limits: LoopLimits = LoopLimits()) throws {
        loop = try EventLoop(limits: limits)
    }

    /// Turns the loop until `condition` holds; false if it did not within ten seconds.
    func turn(until condition: () -> Bool) -> Bool {
        let end = loop.now.instant + .seconds(10)
        while !condition() {
            guard loop.now.instant < end else { return false }
            loop.turn(self, timeout: .milliseconds(200))
        }
        return true
    }

    /// Turns until nothing has happened for a moment: long enough for the system to deliver what is under way on
    /// the loopback interface, also on a busy machine.
    func settle() {
        var before: Int
        repeat {
            before = events.count
            loop.turn(self, timeout: .milliseconds(20))
        } while events.count > before
    }

    /// A listener on a free port of `host` and a client connected to it, accepted.
    func connectedPair(host: String = "127.0.0.1") throws -> (connection: Token, client: Client) {
        let listener = try loop.listen(on: Recorder.anyPort(host))
        let client = try Client(connectedTo: loop.localAddress(of: listener) ?? .unspecified)
        let before = connections.count
        guard turn(until: { connections.count > before }) else { throw Failure(what: "nobody was accepted") }
        return (connections[before], client)
    }

    static func anyPort(_ host: String) -> PeerAddress {
        PeerAddress(host: host, port: 0) ?? .unspecified
    }

    func accepted(_ connection: Token, from peer: PeerAddress, on listener: Token, now: Now) {
        events.append(.accepted(connection))
        connections.append(connection)
        peers.append(peer)
        onAccepted(connection)
    }

    func acceptPaused(on listener: Token, because error: ReactorError, now: Now) {
        events.append(.acceptPaused(error.code))
    }

    func readable(_ connection: Token, now: Now) {
        events.append(.readable(connection))
        onReadable(connection)
    }

    func writable(_ connection: Token, now: Now) {
        events.append(.writable(connection))
        onWritable(connection)
    }

    func datagramsReadable(_ socket: Token, now: Now) {
        events.append(.datagramsReadable(socket))
        onDatagrams(socket)
    }

    func datagramsWritable(_ socket: Token, now: Now) {
        events.append(.datagramsWritable(socket))
    }

    func mailArrived(in mailbox: Token, now: Now) {
        events.append(.mail(mailbox))
        onMail(mailbox)
    }

    func signalled(_ signal: Signal, now: Now) {
        events.append(.signalled(signal))
    }

    func turnEnded(now: Now) -> Deadline? {
        turns += 1
        onTurnEnded()
        return deadline
    }
}

extension EventLoop {
    /// Reads once and answers the bytes; nil when nothing was there, the connection ended or broke.
    func readBytes(_ connection: Token, max: Int = 65_536) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: max)
        let outcome = buffer.withUnsafeMutableBytes { read(connection, into: $0) }
        guard case .bytes(let count) = outcome else { return nil }
        return Array(buffer[..<count])
    }

    /// Reads once and answers how it went.
    func readOnce(_ connection: Token, max: Int = 65_536) -> ReadOutcome {
        withUnsafeTemporaryAllocation(byteCount: max, alignment: 16) { read(connection, into: $0) }
    }

    func write(_ connection: Token, _ bytes: [UInt8]) -> WriteOutcome {
        ByteString(bytes).withView { write(connection, $0) }
    }
}
