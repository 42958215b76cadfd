import Bytes
import CSecureClient
import Clockwork
import Glibc
import SecureTransport

/// A script for a TLS client and what happens to its bytes on the way, against a session of ours. OpenSSL draws its own
/// chance, so one input need not take the same course twice; what must hold, must hold each time: nothing traps, what
/// comes out is what the client put in, up to where its bytes were touched, and an ended session says nothing more.
func fuzzTLS(_ input: ByteView) {
    guard input.count > 1, let context = contexts[Int(input[0]) % contexts.count] else { return }
    guard let script = TLSScript(context, isKeyed: input[0] % 2 == 1, version: input[0] & 0x10 == 0 ? 0x0303 : 0x0304)
    else { fail("no session") }
    var reader = ByteReader(input.dropFirst(1))
    while let step = reader.readUInt8(), let value = reader.readUInt8() { script.play(step, value) }
}

/// A listener with a certificate, one with keys, one with both that takes certificates, each once.
private let contexts: [SecureContext?] = {
    var plain = SecureSettings(kind: .tls)
    plain.pairs = [.init(certificates: contents("server.pem"), key: SecretBytes(contents("server.key.pem")))]
    var keyed = SecureSettings(kind: .tls)
    var keys = PreSharedKeys()
    keys.set("k", key: scriptKey)
    keyed.keys = keys
    keyed.userName = .commonName
    var both = plain
    both.authorities = contents("ca.pem")
    both.clientCertificates = .optional
    both.keys = keys
    both.userName = .commonName
    return [plain, keyed, both].map { try? SecureContext($0) }
}()

private let scriptKey = [UInt8](repeating: 7, count: 16)

private func contents(_ name: String) -> [UInt8] {
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    guard let file = fopen("/" + root + "/Fixtures/tls/" + name, "r") else { return [] }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 16 << 10)
    let count = fread(&bytes, 1, bytes.count, file)
    return Array(bytes[..<count])
}

private final class TLSScript {
    private let session: SecureSession
    private let client: OpaquePointer
    private var now = Now(instant: Instant(nanoseconds: 1_000_000_000), unixSeconds: 1_800_000_000)
    /// On the way to the session.
    private var flight: [UInt8] = []
    /// Whether what the client says is still what the session hears.
    private var isUntouched = true
    /// How much the client has put in, byte after byte of a count, and how much came out.
    private var put = 0
    private var taken = 0

    init?(_ context: SecureContext, isKeyed: Bool, version: Int32) {
        guard let session = SecureSession(context) else { return nil }
        self.session = session
        var options = secure_client_options()
        options.version_min = version
        options.version_max = version
        let client = scriptKey.withUnsafeBufferPointer { key in
            "k".withCString { identity in
                if isKeyed {
                    options.identity = identity
                    options.key = key.baseAddress
                    options.key_count = key.count
                }
                return secure_client_new(&options)
            }
        }
        guard let client else { return nil }
        self.client = client
    }

    deinit { secure_client_free(client) }

    func play(_ step: UInt8, _ value: UInt8) {
        switch step % 10 {
        case 0: _ = secure_client_shake_hands(client)
        case 1: write(Int(value) * 97)
        case 2: _ = secure_client_update_keys(client)
        case 3: touch(at: Int(step >> 4) << 8 | Int(value)) { $0 ^= 1 << (step >> 5) }
        case 4: cut(to: Int(value))
        case 5: insert(value)
        case 6: send(Int(value) * 97)
        case 7: secure_client_close(client)
        case 8: _ = secure_client_renegotiate(client)
        default: now.instant = now.instant + .seconds(Int(value))
        }
        collect()
        // Touched bytes wait for the next step.
        if step % 10 != 3 || value & 1 == 0 { deliver(by: value & 3 == 3 ? 1 + Int(step) : 1 << 16) }
    }

    private func write(_ count: Int) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: put + $0) }
        if secure_client_write(client, bytes, bytes.count) { put += count }
    }

    private func touch(at place: Int, _ body: (inout UInt8) -> Void) {
        guard !flight.isEmpty else { return }
        isUntouched = false
        body(&flight[place % flight.count])
    }

    private func cut(to count: Int) {
        guard flight.count > count else { return }
        isUntouched = false
        flight.removeLast(flight.count - count)
    }

    private func insert(_ value: UInt8) {
        isUntouched = false
        flight += [0x14 + value % 8, 3, 3, 0, value] + [UInt8](repeating: value, count: Int(value))
    }

    private func collect() {
        var room = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = secure_client_take(client, &room, room.count)
            guard count > 0 else { return }
            flight += room[..<count]
        }
    }

    private func deliver(by size: Int) {
        var rest = flight[...]
        flight = []
        while !rest.isEmpty {
            receive(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
    }

    private func receive(_ bytes: [UInt8]) {
        let hadEnded = session.end != nil
        var records = OutputBuffer()
        defer { records.deallocate() }
        bytes.withUnsafeBytes { bytes in
            let count = bytes.count + SecureSession.recordBytesMax
            withUnsafeTemporaryAllocation(byteCount: count, alignment: 16) { room in
                let input = session.receive(ByteView(bytes), into: room, answering: &records, now: now)
                for byte in room[..<input.count] {
                    if isUntouched, byte != UInt8(truncatingIfNeeded: taken) { fail("another byte came out") }
                    taken += 1
                }
            }
        }
        guard taken <= put else { fail("more came out than went in") }
        if hadEnded, !records.isEmpty { fail("an ended session speaks") }
        if session.identity != nil, !isUntouched, taken > put { fail("identified by what was touched") }
        records.pending.memory.withMemoryRebound(to: UInt8.self) { answer in
            secure_client_feed(client, answer.baseAddress, answer.count)
        }
    }

    private func send(_ count: Int) {
        let bytes = [UInt8](repeating: 1, count: count)
        var records = OutputBuffer()
        defer { records.deallocate() }
        let isSent = bytes.withUnsafeBytes { session.send(ByteView($0), into: &records) }
        guard isSent || !session.isEstablished else { fail("nothing is sent") }
        guard records.count <= count + (count / 16_384 + 2) * 64 else { fail("\(records.count) bytes for \(count)") }
        records.pending.memory.withMemoryRebound(to: UInt8.self) { answer in
            secure_client_feed(client, answer.baseAddress, answer.count)
        }
        var room = [UInt8](repeating: 0, count: 65_536)
        while secure_client_read(client, &room, room.count) > 0 {}
    }
}

extension TLSScript {
    /// Handshakes in full, then all that a client can do.
    static var seeds: [[UInt8]] {
        let handshake: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0]
        let talk: [UInt8] = [1, 3, 1, 200, 6, 2, 2, 0, 6, 100, 1, 1, 8, 0, 9, 61, 1, 7, 7, 0]
        let damage: [UInt8] = [13, 9, 1, 2]
        let junk: [UInt8] = [0, 0, 5, 40, 0, 0]
        let kinds: [UInt8] = [0, 1, 2, 5, 16, 17, 18, 21]
        var seeds: [[UInt8]] = []
        for kind in kinds {
            let begun = [kind] + handshake
            seeds += [begun + talk, begun + damage, [kind] + junk]
        }
        return seeds
    }
}

/// What to begin with.
let tlsSeeds = TLSScript.seeds
