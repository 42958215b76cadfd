import Bytes
import SecureTransport
import Testing

@Suite struct SecureContextTests {
    private func fault(_ change: (inout SecureSettings) -> Void) -> SecureTransportError.Subject? {
        var settings = SecureSettings.mutual
        change(&settings)
        do throws(SecureTransportError) {
            _ = try SecureContext(settings)
            return nil
        } catch {
            return error.subject
        }
    }

    @Test("What OpenSSL cannot use is named by its part")
    func faults() {
        #expect(fault { _ in } == nil)
        #expect(fault { $0.pairs[0].certificates = [] } == .certificate(0))
        let damaged = Array("-----BEGIN CERTIFICATE-----\n?".utf8)
        #expect(fault { $0.pairs[0].certificates = damaged } == .certificate(0))
        #expect(fault { $0.pairs[0].certificates += damaged } == .certificate(0))
        #expect(fault { $0.pairs[0].certificates = $0.pairs[0].key.bytes } == .certificate(0))
        #expect(fault { $0.pairs[0].key = SecretBytes([]) } == .key(0))
        #expect(
            fault { settings in
                settings.pairs.append(settings.pairs[0])
                settings.pairs[1].key = SecretBytes([1])
            } == .key(1))
        #expect(fault { $0.pairs[0].key = TestCertificates.pair("bob").key } == .key(0))
        #expect(fault { $0.pairs[0].key = SecretBytes(TestCertificates.bytes("encrypted.key.pem")) } == .key(0))
        #expect(fault { $0.pairs = [] } == .nothingToShow)
        #expect(fault { $0.authorities = [] } == .authorities)
        #expect(fault { $0.authorities = Array("nothing".utf8) } == .authorities)
        #expect(fault { $0.revocations = $0.authorities } == .revocations)
        #expect(fault { $0.ciphers = "none-such" } == .ciphers)
        #expect(fault { $0.ciphers = "NULL:@SECLEVEL=0" } == .ciphers)
        #expect(fault { $0.ciphers = "aNULL:@SECLEVEL=0" } == .ciphers)
        #expect(fault { $0.ciphersuites = "none-such" } == .ciphersuites)
        #expect(fault { $0.ciphersuites = "" } == .ciphersuites)
        #expect(fault { $0.ciphersuites = "TLS_AES_128_GCM_SHA256" } == nil)
        #expect(
            fault {
                $0.keys = PreSharedKeys()
                $0.keyHint = ByteString([UInt8](repeating: 0x61, count: 257))
            } == .keyHint)
    }

    @Test("A passphrase is asked of nobody, and the fault says what to do")
    func passphrase() {
        #expect {
            var settings = SecureSettings.plain
            settings.pairs[0].key = SecretBytes(TestCertificates.bytes("encrypted.key.pem"))
            _ = try SecureContext(settings)
        } throws: { error in
            "\(error)".contains("passphrase")
        }
    }

    @Test("A chain goes out with its certificate, and a client that trusts the root alone is content")
    func chain() throws {
        var settings = SecureSettings.plain
        settings.pairs[0].certificates += TestCertificates.bytes("ca.pem")
        let world = try SecureWorld(settings, .init(authority: "ca"))
        #expect(world.shakeHands() == 1)
        let stranger = try SecureWorld(settings, .init(authority: "stranger-ca"))
        #expect(stranger.shakeHands() < 0)
        stranger.exchange()
        #expect(stranger.session.end == .handshakeFailed(.refused("unknown CA")))
    }

    @Test("The end of the certificate that ends first is known")
    func expiry() throws {
        var settings = SecureSettings.plain
        settings.pairs.append(TestCertificates.pair("ended"))
        #expect(try SecureContext(settings).expires == 1_577_923_200)
        #expect(try SecureContext(.keyed).expires == nil)
    }

    @Test("DTLS makes a context too")
    func datagrams() throws {
        for settings in [SecureSettings.mutual, .keyed] {
            var settings = settings
            settings.kind = .dtls
            _ = try SecureContext(settings)
        }
    }

    @Test("No text of settings shows a key")
    func secrets() {
        let settings = SecureSettings.keyed
        var text = "\(settings) \(SecureSettings.plain)"
        dump(settings, to: &text)
        dump(SecureSettings.plain.pairs[0].key, to: &text)
        #expect(!text.contains("0, 1, 2, 3"))
        #expect(text.contains("(secret)"))
    }
}
