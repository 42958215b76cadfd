import Bytes
import SecureTransport
import Testing

@Suite struct PeerIdentityTests {
    /// What a listener makes of a client with this certificate: its user name, or why it ended.
    private func outcome(
        _ settings: SecureSettings, certificate: String?
    ) throws -> (userName: ByteString?, end: SecureEnd?) {
        let world = try SecureWorld(settings, .init(certificate: certificate))
        world.shakeHands()
        return (world.session.identity?.userName, world.session.end)
    }

    @Test("A good certificate has its common name as user name")
    func commonName() throws {
        for name in ["alice", "bob"] {
            let outcome = try outcome(.mutual, certificate: name)
            #expect(outcome.userName == ByteString(name))
            #expect(outcome.end == nil)
        }
    }

    @Test(
        "A certificate that is expired, revoked, of another authority or for another use is refused [attack 89]",
        arguments: [
            ("expired", "certificate has expired"), ("revoked", "certificate revoked"),
            ("stranger", "unable to get local issuer certificate"), ("wrong-use", "unsuitable certificate purpose"),
        ])
    func badCertificates(name: String, words: String) throws {
        for isOptional in [false, true] {
            var settings = SecureSettings.mutual
            settings.revocations = TestCertificates.bytes("crl.pem")
            settings.clientCertificates = isOptional ? .optional : .required
            let outcome = try outcome(settings, certificate: name)
            #expect(outcome.end == .handshakeFailed(.badCertificate(words)))
            #expect(outcome.userName == nil)
        }
    }

    @Test("Without a revocation list a revoked certificate is as good as any")
    func withoutList() throws {
        #expect(try outcome(.mutual, certificate: "revoked").userName == "mallory")
    }

    @Test("Dates are not looked at where the operator says so, and all else is")
    func ignoredDates() throws {
        var settings = SecureSettings.mutual
        settings.ignoresDates = true
        #expect(try outcome(settings, certificate: "expired").userName == "eve")
        #expect(try outcome(settings, certificate: "stranger").end != nil)
    }

    @Test("Who shows no certificate is refused where one is required, and comes where it is not")
    func withoutCertificate() throws {
        #expect(try outcome(.mutual, certificate: nil).end == .handshakeFailed(.noCertificate))
        var settings = SecureSettings.mutual
        settings.clientCertificates = .optional
        let world = try SecureWorld(settings)
        #expect(world.shakeHands() == 1)
        #expect(world.session.identity == PeerIdentity())
        #expect(try outcome(settings, certificate: "alice").userName == "alice")
    }

    @Test("The user name comes from where the operator says")
    func sources() throws {
        let sources: [(SecureSettings.UserName, ByteString?)] = [
            (.none, nil), (.commonName, "alice"), (.subject, "CN=alice,O=Plant"), (.dnsName, "alice.plant.example"),
            (.uri, "urn:dev:mac:0024befffe804ff1"), (.email, "alice@plant.example"),
        ]
        for (source, name) in sources {
            var settings = SecureSettings.mutual
            settings.userName = source
            let outcome = try outcome(settings, certificate: "alice")
            #expect(outcome.end == nil)
            #expect(outcome.userName == name)
        }
    }

    @Test("A certificate without the name, or with a NUL byte in it, is refused [attack 89]")
    func unusableNames() throws {
        for (source, certificate) in [
            (SecureSettings.UserName.commonName, "nameless"), (.dnsName, "bob"), (.uri, "nul"), (.dnsName, "nul"),
        ] {
            var settings = SecureSettings.mutual
            settings.userName = source
            let outcome = try outcome(settings, certificate: certificate)
            #expect(outcome.end == .handshakeFailed(.unusableName))
            #expect(outcome.userName == nil)
        }
    }

    @Test("A pre-shared key: its identity is the user name, in both versions", arguments: [0x0303, 0x0304] as [Int32])
    func keys(version: Int32) throws {
        let world = try SecureWorld(.keyed, .init(versions: version...version, identity: "pump-7"))
        #expect(world.shakeHands() == 1)
        #expect(world.session.identity == PeerIdentity(isProven: true, userName: "pump-7"))
        var settings = SecureSettings.keyed
        settings.userName = .none
        let nameless = try SecureWorld(settings, .init(versions: version...version, identity: "pump-7"))
        #expect(nameless.shakeHands() == 1)
        #expect(nameless.session.identity == PeerIdentity(isProven: true))
    }

    @Test(
        "An unknown identity gets the same answer as a wrong key [attack 129]", arguments: [0x0303, 0x0304] as [Int32])
    func unknownIdentities(version: Int32) throws {
        func answers(_ identity: String, _ key: [UInt8]) throws -> (counts: [Int], end: SecureEnd?) {
            let world = try SecureWorld(
                .keyed,
                .init(versions: version...version, ciphers: "PSK-AES128-GCM-SHA256", identity: identity, key: key))
            var counts: [Int] = []
            for _ in 0..<4 {
                _ = world.client.shakeHands()
                let answer = world.give(world.client.take())
                counts.append(answer.count)
                world.client.feed(answer)
            }
            return (counts, world.session.end)
        }
        let wrongKey = try answers("pump-7", [UInt8](repeating: 1, count: 16))
        let unknown = try answers("pump-8", [UInt8](repeating: 1, count: 16))
        #expect(wrongKey.counts == unknown.counts)
        #expect(wrongKey.end == .handshakeFailed(.wrongKey))
        #expect(unknown.end == .handshakeFailed(.wrongKey))
    }

    @Test("A listener with keys and certificates: who has a key is known by it, who has none by its certificate")
    func both() throws {
        var settings = SecureSettings.mutual
        settings.keys = SecureSettings.keyed.keys
        let context = try SecureContext(settings)
        for version in [0x0303, 0x0304] as [Int32] {
            let keyed = try SecureWorld(
                context,
                .init(versions: version...version, ciphers: "PSK-AES128-GCM-SHA256", identity: "pump-7"))
            #expect(keyed.shakeHands() == 1)
            #expect(keyed.session.identity?.userName == "pump-7")
            let shown = try SecureWorld(context, .init(versions: version...version, certificate: "bob"))
            #expect(shown.shakeHands() == 1)
            #expect(shown.session.identity?.userName == "bob")
        }
        // In TLS 1.3 an unknown key is but an offer.
        let unknown = try SecureWorld(
            context, .init(versions: 0x0304...0x0304, certificate: "bob", identity: "pump-8"))
        #expect(unknown.shakeHands() == 1)
        #expect(unknown.session.identity?.userName == "bob")
    }
}
