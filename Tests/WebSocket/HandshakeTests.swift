import Bytes
import Testing

@testable import WebSocket

@Suite struct HandshakeTests {
    private func outcome(_ bytes: [UInt8], origins: [ByteString] = []) -> WebSocketEnd? {
        var rules = WebSocketRules()
        rules.origins = origins
        let session = Session(rules: rules)
        session.feed(bytes)
        return session.layer.end
    }

    private func isGranted(_ bytes: [UInt8], origins: [ByteString] = []) -> Bool {
        var rules = WebSocketRules()
        rules.origins = origins
        let session = Session(rules: rules)
        session.feed(bytes)
        return session.layer.request != nil && session.layer.end == nil
    }

    @Test("The answer to the example of RFC 6455, with the subprotocol mqtt [MQTT-6.0.0-4] [MQTT311-6.0.0-4]")
    func answer() {
        let session = Session()
        session.feed(Client.request())
        let expected = [
            "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Protocol: mqtt", "", "",
        ]
        #expect(String(decoding: session.written, as: UTF8.self) == expected.joined(separator: "\r\n"))
        #expect(session.layer.request?.subprotocol == "mqtt")
        #expect(session.layer.end == nil)
    }

    @Test(
        "Requests that are in order",
        arguments: [
            Client.request(with: "Upgrade: WebSocket"), Client.request(with: "Upgrade: h2c, websocket"),
            Client.request(with: "Connection: keep-alive, Upgrade"), Client.request(with: "Connection: upgrade"),
            Client.request(with: "Connection:Upgrade"), Client.request(with: "Connection: \t Upgrade \t "),
            Client.request(with: "Sec-WebSocket-Protocol: chat, mqtt"),
            Client.request(with: "Sec-WebSocket-Protocol: mqttv3.1"),
            Client.request(with: "Content-Length: 0"), Client.request(with: "X-Empty:"),
            Client.request(with: "User-Agent: \u{E9}"),
            Client.request(with: "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
            Client.request(Client.lines + ["Sec-WebSocket-Protocol: chat"]),
            Client.request(["GET / HTTP/1.1"] + Client.lines.dropFirst()),
            Client.request(["GET /any/path?with=query HTTP/1.1"] + Client.lines.dropFirst()),
            Client.request(["GET http://127.0.0.1:9001/mqtt HTTP/1.1"] + Client.lines.dropFirst()),
            Client.request(
                Client.lines.map { $0.hasPrefix("GET") ? $0 : $0.replacing("Sec-WebSocket", with: "SEC-WEBSOCKET") }),
        ])
    func inOrder(request: [UInt8]) {
        #expect(isGranted(request))
    }

    @Test("mqtt is chosen before mqttv3.1, wherever it stands [M-50]")
    func bestSubprotocol() {
        for offer in ["mqttv3.1, mqtt", "mqtt, mqttv3.1", "a,mqttv3.1 , mqtt,b"] {
            let session = Session()
            session.feed(Client.request(with: "Sec-WebSocket-Protocol: \(offer)"))
            #expect(session.layer.request?.subprotocol == "mqtt")
        }
        let old = Session()
        old.feed(Client.request(with: "Sec-WebSocket-Protocol: mqttv3.1"))
        #expect(String(decoding: old.written, as: UTF8.self).contains("Sec-WebSocket-Protocol: mqttv3.1\r\n"))
    }

    static let refusals: [(HandshakeRefusal, [UInt8])] = [
        (.subprotocol, Client.request(without: "Sec-WebSocket-Protocol")),
        (.subprotocol, Client.request(with: "Sec-WebSocket-Protocol: chat, mqttv5")),
        (.subprotocol, Client.request(with: "Sec-WebSocket-Protocol: MQTT")),
        (.subprotocol, Client.request(with: "Sec-WebSocket-Protocol:")),
        (.host, Client.request(without: "Host")),
        (.host, Client.request(Client.lines + ["Host: other"])),
        (.notWebSocket, Client.request(without: "Upgrade")),
        (.notWebSocket, Client.request(with: "Upgrade: h2c")),
        (.notWebSocket, Client.request(without: "Connection")),
        (.notWebSocket, Client.request(with: "Connection: keep-alive")),
        (.version, Client.request(without: "Sec-WebSocket-Version")),
        (.version, Client.request(with: "Sec-WebSocket-Version: 8")),
        (.version, Client.request(with: "Sec-WebSocket-Version: 13, 8")),
        (.repeatedField, Client.request(Client.lines + ["Sec-WebSocket-Version: 13"])),
        (.repeatedField, Client.request(Client.lines + ["Sec-WebSocket-Key: \(Client.key)"])),
        (.repeatedField, Client.request(with: "Origin: http://a").withLine("Origin: http://b")),
        (.key, Client.request(without: "Sec-WebSocket-Key")),
        (.key, Client.request(with: "Sec-WebSocket-Key: c2hvcnQ=")),
        (.key, Client.request(with: "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=a")),
        (.key, Client.request(with: "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZ*==")),
        (.key, Client.request(with: "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSE=")),
        (.body, Client.request(with: "Content-Length: 5")),
        (.body, Client.request(with: "Transfer-Encoding: chunked")),
        (.method, Client.request(["POST / HTTP/1.1"] + Client.lines.dropFirst())),
        (.method, Client.request(["get / HTTP/1.1"] + Client.lines.dropFirst())),
        (.httpVersion, Client.request(["GET / HTTP/1.0"] + Client.lines.dropFirst())),
        (.httpVersion, Client.request(["GET / HTTP/2.0"] + Client.lines.dropFirst())),
        (.malformed, Client.request(["GET / http/1.1"] + Client.lines.dropFirst())),
        (.malformed, Client.request(["GET  HTTP/1.1"] + Client.lines.dropFirst())),
        (.malformed, Client.request(["GET mqtt HTTP/1.1"] + Client.lines.dropFirst())),
        (.malformed, Client.request(["GET / mqtt HTTP/1.1"] + Client.lines.dropFirst())),
        (.malformed, Client.request(["GET /"] + Client.lines.dropFirst())),
        (.malformed, Client.request(["nonsense"])),
        (.malformed, Client.request(["GE(T / HTTP/1.1"] + Client.lines.dropFirst())),
        (.malformed, Client.request(Client.lines + ["no colon"])),
        (.malformed, Client.request(Client.lines + [": no name"])),
        (.malformed, Client.request(Client.lines + ["Blank : before colon"])),
        (.malformed, Client.request(Client.lines + [" folded"])),
        (.malformed, Client.request(Client.lines + ["\tfolded: too"])),
        (.malformed, Client.request(Client.lines + ["Control: \u{1}"])),
        (.malformed, Client.request(Client.lines + ["Delete: \u{7F}"])),
        (.malformed, Client.request(Client.lines + ["Line: \nfeed"])),
        (.malformed, Client.request(Client.lines + ["Return: \rhere"])),
        (.malformed, Array("\r\n".utf8) + Client.request()),
        (.malformed, Array("GET / HTTP/1.1\nHost: a\n\n".utf8)),
        (.malformed, [0x10, 0x0C, 0x00, 0x04] + Array("MQTT".utf8)),
        (.malformed, [0x16, 0x03, 0x01, 0x02, 0x00]),
    ]

    @Test(
        "Requests that are refused, each with its own answer [attack 91] [MQTT-6.0.0-3] [MQTT311-6.0.0-3]",
        arguments: refusals.indices)
    func refused(index: Int) throws {
        let (refusal, bytes) = Self.refusals[index]
        let session = Session()
        session.feed(bytes)
        #expect(session.layer.end == .refused(refusal))
        let text = String(decoding: session.written, as: UTF8.self)
        #expect(text.hasPrefix("HTTP/1.1 \(refusal.status)\r\nConnection: close"))
        let parts = text.split(separator: "\r\n\r\n", maxSplits: 1)
        #expect(parts[0].contains("Content-Length: \(parts[1].utf8.count)"))
        // Nothing is read any more.
        session.feed(Client.request())
        #expect(session.received.isEmpty)
        #expect(session.layer.end == .refused(refusal))
    }

    @Test("What must be said with 405 and 426 is said")
    func answerFields() {
        let method = Session()
        method.feed(Client.request(["POST / HTTP/1.1"]))
        #expect(String(decoding: method.written, as: UTF8.self).contains("\r\nAllow: GET\r\n"))
        let version = Session()
        version.feed(Client.request(with: "Sec-WebSocket-Version: 7"))
        let text = String(decoding: version.written, as: UTF8.self)
        #expect(text.contains("\r\nSec-WebSocket-Version: 13\r\n"))
        #expect(text.contains("\r\nUpgrade: websocket\r\n"))
    }

    @Test("Pages of other origins are refused, clients without one are not [attack 91] [M-51]")
    func origin() {
        let origins: [ByteString] = ["https://plant.example", "null"]
        #expect(isGranted(Client.request(), origins: origins))
        #expect(isGranted(Client.request(with: "Origin: https://plant.example"), origins: origins))
        #expect(isGranted(Client.request(with: "Origin: HTTPS://Plant.Example"), origins: origins))
        #expect(isGranted(Client.request(with: "Origin: null"), origins: origins))
        for other in ["http://plant.example", "https://plant.example.evil", "https://plant.example:8443", ""] {
            #expect(outcome(Client.request(with: "Origin: \(other)"), origins: origins) == .refused(.origin))
        }
        #expect(isGranted(Client.request(with: "Origin: https://anybody")))
    }

    @Test("A request of 8,192 bytes is taken, one more is not, and ten times as much neither [attack 91]")
    func requestBytes() {
        func request(of count: Int) -> [UInt8] {
            let bare = Client.request(with: "X-Filler: ").count
            return Client.request(with: "X-Filler: " + String(repeating: "x", count: count - bare))
        }
        #expect(request(of: 8_192).count == 8_192)
        #expect(isGranted(request(of: 8_192)))
        #expect(outcome(request(of: 8_193)) == .refused(.tooLarge))
        #expect(outcome(request(of: 81_920)) == .refused(.tooLarge))
        #expect(outcome([UInt8](repeating: 0x41, count: 8_193)) == .refused(.tooLarge))
    }

    @Test("A request of 64 fields is taken, one more is not, and ten times as many neither [attack 91]")
    func requestFields() {
        func request(_ count: Int) -> [UInt8] {
            Client.request(Client.lines + (0..<(count - Client.lines.count + 1)).map { "X-\($0): y" })
        }
        #expect(isGranted(request(64)))
        #expect(outcome(request(65)) == .refused(.tooLarge))
        #expect(outcome(request(640)) == .refused(.tooLarge))
    }

    @Test("Frames that come with the request are read behind it")
    func framesBehind() {
        let session = Session()
        session.feed(Client.request() + Client.frame(2, [1, 2, 3]))
        #expect(session.received == [1, 2, 3])
    }

    @Test("An extension that is offered is not in force: the answer has none [attack 94]")
    func noExtension() {
        let session = Session()
        session.feed(Client.request(with: "Sec-WebSocket-Extensions: permessage-deflate"))
        #expect(!String(decoding: session.written, as: UTF8.self).contains("Extensions"))
        session.feed([0xC2] + Client.frame(2, [1]).dropFirst())
        #expect(session.layer.end == .failed(.reservedBits))
    }
}

extension [UInt8] {
    /// A request with one more line.
    fileprivate func withLine(_ line: String) -> [UInt8] {
        Array(dropLast(2)) + Array("\(line)\r\n\r\n".utf8)
    }
}
