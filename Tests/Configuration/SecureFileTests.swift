import Testing

@testable import Configuration

@Suite struct SecureFileTests {
    /// A file that everybody can read.
    private struct OpenSource: ConfigurationSource {
        var text: String

        func read(_ path: String) throws(SourceFailure) -> SourceFile {
            guard path != "gateway.conf" else { return SourceFile(bytes: Array(text.utf8), identity: path) }
            let folder = ConfigurationFixture.root
            var file = try DiskSource().read(folder + "/" + path)
            file.isReadableByOthers = true
            return file
        }

        func names(in path: String) throws(SourceFailure) -> [String] { [] }
    }

    @Test("A private key or a file of keys that everybody can read is a warning, a certificate is not")
    func secrets() {
        let text = """
            psk_file devices.psk
            listener 8883 127.0.0.1
            certfile ../tls/server.pem
            keyfile ../tls/server.key.pem
            psk_hint plant
            """
        let outcome = ConfigurationParser.parse("gateway.conf", from: OpenSource(text: text))
        let warnings = outcome.diagnostics.filter { $0.severity == .warning }
        #expect(warnings.map { $0.location.line } == [1, 4])
        #expect(warnings.allSatisfy { $0.message.contains("chmod") })
        #expect(outcome.configuration != nil)
    }

    @Test("The configuration holds keys, and no text of it shows them")
    func summaries() throws {
        let outcome = ConfigurationParser.parse(
            "gateway.conf", from: OpenSource(text: "psk_file devices.psk\nlistener 8883 127.0.0.1\npsk_hint plant\n"))
        let configuration = try #require(outcome.configuration)
        var text = "\(configuration) \(configuration.summary)"
        dump(configuration, to: &text)
        #expect(text.contains("(secret)"))
        // The first bytes of a key, as an array shows them.
        #expect(!text.contains("17, 34, 51"))
    }
}
