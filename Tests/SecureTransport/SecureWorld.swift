import Bytes
import CSecureClient
import Clockwork
import Foundation
import SecureTransport
import Testing

/// Certificates of `Fixtures/tls`.
enum TestCertificates {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Fixtures/tls").path

    static func path(_ name: String) -> String { folder + "/" + name }

    static func bytes(_ name: String) -> [UInt8] {
        Array(FileManager.default.contents(atPath: path(name)) ?? Data())
    }

    static func pair(_ name: String) -> SecureSettings.Pair {
        SecureSettings.Pair(certificates: bytes(name + ".pem"), key: SecretBytes(bytes(name + ".key.pem")))
    }
}

extension SecureSettings {
    /// A listener with the server's certificate.
    static var plain: SecureSettings {
        var settings = SecureSettings(kind: .tls)
        settings.pairs = [TestCertificates.pair("server")]
        return settings
    }

    /// One that wants certificates of clients, and knows them by their common names.
    static var mutual: SecureSettings {
        var settings = plain
        settings.authorities = TestCertificates.bytes("ca.pem")
        settings.clientCertificates = .required
        settings.userName = .commonName
        return settings
    }

    /// One that takes pre-shared keys alone.
    static var keyed: SecureSettings {
        var settings = SecureSettings(kind: .tls)
        var keys = PreSharedKeys()
        keys.set("pump-7", key: TestClient.key)
        settings.keys = keys
        settings.keyHint = "plant"
        settings.userName = .commonName
        return settings
    }
}

/// OpenSSL's client in memory.
final class TestClient {
    static let key: [UInt8] = Array(0..<16)

    /// What it is to do.
    struct Options {
        var versions: ClosedRange<Int32> = 0x0303...0x0304
        var ciphers: String?
        var protocolName: String?
        var serverName: String?
        /// The name of a pair in `Fixtures/tls`.
        var certificate: String?
        var authority: String?
        var identity: String?
        var key = TestClient.key
    }

    private let client: OpaquePointer

    init(_ options: Options = Options()) throws {
        var kept: [UnsafeMutablePointer<CChar>] = []
        defer { for text in kept { free(text) } }
        func text(_ text: String?) -> UnsafePointer<CChar>? {
            guard let text, let copy = strdup(text) else { return nil }
            kept.append(copy)
            return UnsafePointer(copy)
        }
        var wishes = secure_client_options()
        wishes.version_min = options.versions.lowerBound
        wishes.version_max = options.versions.upperBound
        wishes.ciphers = text(options.ciphers)
        wishes.protocol = text(options.protocolName)
        wishes.server_name = text(options.serverName)
        wishes.certificate_file = text(options.certificate.map { TestCertificates.path($0 + ".pem") })
        wishes.key_file = text(options.certificate.map { TestCertificates.path($0 + ".key.pem") })
        wishes.authority_file = text(options.authority.map { TestCertificates.path($0 + ".pem") })
        wishes.identity = text(options.identity)
        client = try options.key.withUnsafeBufferPointer { key in
            wishes.key = key.baseAddress
            wishes.key_count = key.count
            return try #require(secure_client_new(&wishes))
        }
    }

    deinit { secure_client_free(client) }

    var version: String { String(cString: secure_client_version(client)) }
    var hasTicket: Bool { secure_client_has_ticket(client) }

    var protocolName: String {
        var room = [CChar](repeating: 0, count: 64)
        let count = secure_client_protocol(client, &room, room.count)
        return String(decoding: room[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The common name of the server's certificate.
    var server: String {
        var room = [CChar](repeating: 0, count: 64)
        secure_client_server(client, &room, room.count)
        return String(decoding: room.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// 1 when it is done, 0 if more must come, negative if it failed.
    func shakeHands() -> Int32 { secure_client_shake_hands(client) }

    func feed(_ bytes: [UInt8]) { secure_client_feed(client, bytes, bytes.count) }

    func take() -> [UInt8] {
        var bytes: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = secure_client_take(client, &room, room.count)
            if count == 0 { return bytes }
            bytes += room[..<count]
        }
    }

    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool { secure_client_write(client, bytes, bytes.count) }

    /// What there is to read; `ended` says how it stopped: 0, -1 at close_notify, -2 for a fault.
    func read() -> (bytes: [UInt8], ended: Int) {
        var bytes: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = secure_client_read(client, &room, room.count)
            if count <= 0 { return (bytes, count) }
            bytes += room[..<count]
        }
    }

    func updateKeys() -> Bool { secure_client_update_keys(client) }
    func renegotiate() -> Bool { secure_client_renegotiate(client) }
    func close() { secure_client_close(client) }
}

/// A session of ours and a client, with nothing between them but memory.
final class SecureWorld {
    let session: SecureSession
    let client: TestClient
    var now = Now(instant: Instant(nanoseconds: 1_000_000_000), unixSeconds: 1_800_000_000)
    /// Plaintext that came out of the session.
    private(set) var received: [UInt8] = []
    private(set) var work = 0
    private let room = UnsafeMutableRawBufferPointer.allocate(
        byteCount: 65_536 + SecureSession.recordBytesMax, alignment: 16)

    init(_ settings: SecureSettings = .plain, _ options: TestClient.Options = TestClient.Options()) throws {
        session = try #require(SecureSession(try SecureContext(settings)))
        client = try TestClient(options)
    }

    init(_ context: SecureContext, _ options: TestClient.Options = TestClient.Options()) throws {
        session = try #require(SecureSession(context))
        client = try TestClient(options)
    }

    deinit { room.deallocate() }

    /// Hands bytes to the session, as one read; what it answers.
    @discardableResult
    func give(_ bytes: some Collection<UInt8>) -> [UInt8] {
        var records = OutputBuffer()
        defer { records.deallocate() }
        Array(bytes).withUnsafeBytes { bytes in
            let input = session.receive(ByteView(bytes), into: room, answering: &records, now: now)
            received += room[..<input.count]
            work += input.work
        }
        return Array(records.pending.memory)
    }

    /// What the session makes of plaintext; nil if it failed.
    func seal(_ plaintext: [UInt8]) -> [UInt8]? {
        var records = OutputBuffer()
        defer { records.deallocate() }
        guard plaintext.withUnsafeBytes({ session.send(ByteView($0), into: &records) }) else { return nil }
        return Array(records.pending.memory)
    }

    func close() -> [UInt8] {
        var records = OutputBuffer()
        defer { records.deallocate() }
        session.close(into: &records)
        return Array(records.pending.memory)
    }

    /// Lets both talk until the client is done or has failed; what `shakeHands` said last.
    @discardableResult
    func shakeHands() -> Int32 {
        for _ in 0..<10 {
            let result = client.shakeHands()
            let said = client.take()
            if said.isEmpty, result != 0 { return result }
            let answer = give(said)
            if said.isEmpty, answer.isEmpty { return result }
            client.feed(answer)
        }
        return client.shakeHands()
    }

    /// Whatever the client has to say goes to the session, and the answer back.
    func exchange() {
        client.feed(give(client.take()))
    }

    /// Takes what came out.
    func takeReceived() -> [UInt8] {
        defer { received = [] }
        return received
    }
}
