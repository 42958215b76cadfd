package import Bytes
package import Clockwork
internal import COpenSSL

/// One TLS connection on the server's side: between a socket and what is spoken over it.
///
/// The socket's bytes go in, plaintext comes out, and back; no socket and no clock. What is to be sent is appended to
/// a buffer of the caller's, which many sessions may share: a session that is idle holds no buffer at all. A class,
/// since OpenSSL's part of it is freed exactly once.
package final class SecureSession {
    /// Where the session stands.
    private enum State {
        /// So many bytes have come. Can transition to: `established`, `ended`.
        case handshaking(bytes: Int)
        /// Data can go both ways. Can transition to: `ended`.
        case established
        /// Nothing is read or written any more. What a last call has appended is still to be sent.
        case ended(SecureEnd)
    }

    /// What a call has taken in.
    package struct Input: Equatable {
        /// Bytes of plaintext.
        package var count = 0
        /// What it has cost, in quarters of a microsecond, about: handshakes are dear.
        package var work = 0
    }

    /// The longest record, with what encryption adds (RFC 8446 §5.2, RFC 5246 §6.2.3).
    package static let recordBytesMax = (16 << 10) + 2_048 + 5
    /// What a handshake may take, in bytes: certificates are the long part of it.
    package static let handshakeBytesMax = 64 << 10
    /// Messages beside data that a client may send in a minute, or cause us to send (CVE-2026-39304): KeyUpdate is due
    /// after millions of records.
    package static let messagesPerMinuteMax = 10
    /// The same for a whole handshake.
    private static let handshakeMessagesMax: UInt32 = 64
    /// What a step of a handshake costs beside the bytes.
    private static let handshakeWork = 1_000

    private let context: SecureContext
    private let session: OpaquePointer
    private var state = State.handshaking(bytes: 0)
    /// What the peer has shown, once the handshake is done.
    package private(set) var identity: PeerIdentity?
    /// Messages beside data since `countsSince`.
    private var messages = 0
    private var countsSince = Instant(nanoseconds: 0)

    /// Fails if there is no memory.
    package init?(_ context: SecureContext) {
        guard let session = copenssl_session_new(context.pointer) else { return nil }
        self.context = context
        self.session = session
    }

    deinit {
        copenssl_session_free(session)
    }

    /// Whether the handshake is done and nothing has ended.
    package var isEstablished: Bool {
        if case .established = state { true } else { false }
    }

    /// How it ended; nil while bytes can come.
    package var end: SecureEnd? {
        if case .ended(let end) = state { end } else { nil }
    }

    /// Version and cipher suite for people, such as `TLSv1.3, TLS_AES_256_GCM_SHA384`.
    package var words: String {
        String(cString: copenssl_version_name(session)) + ", " + String(cString: copenssl_cipher_name(session))
    }

    // MARK: From the socket

    /// Takes what the socket brought, all of it.
    ///
    /// - Parameters:
    ///   - room: where plaintext goes: `recordBytesMax` bytes more than came, since a record may have begun before.
    ///   - records: gets what is to be sent to the peer.
    package func receive(
        _ bytes: ByteView, into room: UnsafeMutableRawBufferPointer, answering records: inout OutputBuffer, now: Now
    ) -> Input {
        precondition(room.count >= bytes.count + Self.recordBytesMax)
        var pipe = copenssl_pipe()
        pipe.input = bytes.memory.baseAddress?.assumingMemoryBound(to: UInt8.self)
        pipe.input_count = bytes.count
        var input = Input()
        if case .handshaking(let before) = state {
            input.work = shakeHands(before, bytes, &pipe, &records, now)
        }
        if case .established = state { read(&pipe, into: room, &input, &records, now) }
        input.work += 2 * Int(pipe.records) + bytes.count / 512
        return input
    }

    /// Goes on with the handshake; what that has cost.
    private func shakeHands(
        _ before: Int, _ bytes: ByteView, _ pipe: inout copenssl_pipe, _ records: inout OutputBuffer, _ now: Now
    ) -> Int {
        // What does not begin as a handshake is not looked at any further.
        if before == 0, !bytes.isEmpty, bytes[0] != 0x16 {
            state = .ended(.handshakeFailed(.notTLS))
            return 0
        }
        let written = records.count
        pipe.messages_max = Self.handshakeMessagesMax
        let outcome = call(&pipe, &records) { copenssl_handshake(session, &$0) }
        let taken = before + bytes.count - pipe.input_count
        switch outcome {
        case COPENSSL_DONE: establish(now)
        case COPENSSL_WANTS_INPUT where taken <= Self.handshakeBytesMax && pipe.messages <= pipe.messages_max:
            state = .handshaking(bytes: taken)
        case COPENSSL_WANTS_INPUT: state = .ended(.handshakeFailed(.tooLong))
        default: state = .ended(SecureEnd(failed: session, inHandshake: true))
        }
        return records.count > written || outcome == COPENSSL_DONE ? Self.handshakeWork : 0
    }

    private func establish(_ now: Now) {
        do throws(SecureEnd) {
            identity = try context.identity(of: session)
            countsSince = now.instant
            state = .established
        } catch {
            state = .ended(error)
        }
    }

    /// Takes record after record.
    private func read(
        _ pipe: inout copenssl_pipe, into room: UnsafeMutableRawBufferPointer, _ input: inout Input,
        _ records: inout OutputBuffer, _ now: Now
    ) {
        forgetMessages(now)
        while true {
            pipe.messages = 0
            pipe.messages_max = UInt32(max(0, Self.messagesPerMinuteMax - messages))
            var count = 0
            let rest = UnsafeMutableRawBufferPointer(rebasing: room[input.count...])
            let outcome = call(&pipe, &records) { copenssl_read(session, &$0, rest.baseAddress, rest.count, &count) }
            input.count += count
            messages += Int(pipe.messages)
            switch outcome {
            case COPENSSL_DONE where messages <= Self.messagesPerMinuteMax: continue
            case COPENSSL_DONE, COPENSSL_WANTS_INPUT:
                if messages > Self.messagesPerMinuteMax { state = .ended(.tooManyMessages) }
            case COPENSSL_ENDED: state = .ended(.closedByPeer)
            default: state = .ended(SecureEnd(failed: session, inHandshake: false))
            }
            return
        }
    }

    /// Messages beside data are forgotten after a minute.
    private func forgetMessages(_ now: Now) {
        guard countsSince + .seconds(60) <= now.instant else { return }
        countsSince = now.instant
        messages = 0
    }

    // MARK: To the socket

    /// Appends plaintext as records, of 16 KiB at most each. Only where `isEstablished`; false if it failed, which
    /// ends the session.
    package func send(_ plaintext: ByteView, into records: inout OutputBuffer) -> Bool {
        guard case .established = state else { return false }
        guard !plaintext.isEmpty else { return true }
        var pipe = copenssl_pipe()
        let room = plaintext.count + (plaintext.count / (16 << 10) + 2) * 512
        let outcome = call(&pipe, &records, room: room) {
            copenssl_write(session, &$0, plaintext.memory.baseAddress, plaintext.count)
        }
        if outcome == COPENSSL_DONE { return true }
        state = .ended(SecureEnd(failed: session, inHandshake: false))
        return false
    }

    /// Says that nothing more comes (close_notify); nothing is read or written after it.
    package func close(into records: inout OutputBuffer) {
        guard case .established = state else { return }
        var pipe = copenssl_pipe()
        _ = call(&pipe, &records) {
            copenssl_say_end(session, &$0)
            return COPENSSL_DONE
        }
        state = .ended(.closed)
    }

    /// Calls OpenSSL with room for what it has to say, again as long as that is not enough.
    private func call(
        _ pipe: inout copenssl_pipe, _ records: inout OutputBuffer, room: Int = 4_096,
        _ body: (inout copenssl_pipe) -> copenssl_outcome
    ) -> copenssl_outcome {
        while true {
            pipe.output = records.reserve(room).assumingMemoryBound(to: UInt8.self)
            pipe.output_room = room
            pipe.output_count = 0
            let outcome = body(&pipe)
            records.advance(by: pipe.output_count)
            guard outcome == COPENSSL_WANTS_ROOM, pipe.output_count > 0 else { return outcome }
        }
    }
}
