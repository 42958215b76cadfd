package import Bytes

/// A client's opening handshake that is in order: what the answer and the log need of it (RFC 6455 §4.2.1).
package struct HandshakeRequest: Equatable, Sendable {
    /// Sec-WebSocket-Key as it was sent, 24 characters.
    package var key: ByteString
    /// The subprotocol that was agreed on; nil where the rules ask for none.
    package var subprotocol: ByteString?
    /// The page that connects; browsers always say, others seldom.
    package var origin: ByteString?

    /// Reads a whole head, as `HandshakeReader` lets it through.
    static func parse(_ head: ByteView, rules: WebSocketRules) throws(HandshakeRefusal) -> HandshakeRequest {
        var rest = head
        try checkRequestLine(rest.nextLine())
        var fields = HandshakeFields()
        while true {
            let line = rest.nextLine()
            if line.isEmpty { break }
            try fields.add(line, subprotocols: rules.subprotocols)
        }
        return try fields.request(rules)
    }

    /// `GET /path HTTP/1.1`: any path will do, since there is only one thing to be had here [M-52].
    private static func checkRequestLine(_ line: ByteView) throws(HandshakeRefusal) {
        guard let first = line.firstIndex(of: 0x20), let last = line.lastIndex(of: 0x20), last > first + 1 else {
            throw .malformed
        }
        let version = line.dropFirst(last + 1)
        guard version.count == 8, version[0..<5].isEqual("HTTP/"), version[5].isDigit, version[6] == 0x2E,
            version[7].isDigit
        else { throw .malformed }
        let method = line[0..<first]
        guard !method.isEmpty, method.memory.allSatisfy({ $0.isTokenCharacter }) else { throw .malformed }
        let target = line[(first + 1)..<last]
        guard target.memory.allSatisfy({ (0x21...0x7E).contains($0) }) else { throw .malformed }
        guard version.isEqual("HTTP/1.1") else { throw .httpVersion }
        guard method.isEqual("GET") else { throw .method }
        guard target[0] == UInt8(ascii: "/") || target.hasPrefix("http://") || target.hasPrefix("https://") else {
            throw .malformed
        }
    }
}

/// The header fields that matter, as far as they were read.
private struct HandshakeFields {
    private var hosts = 0
    private var asksForWebSocket = false
    private var asksForUpgrade = false
    private var hasBody = false
    private var version: ByteString?
    private var key: ByteString?
    private var origin: ByteString?
    /// The best subprotocol offered, by its place in the rules.
    private var subprotocol: Int?

    mutating func add(_ line: ByteView, subprotocols: [ByteString]) throws(HandshakeRefusal) {
        guard let colon = line.firstIndex(of: 0x3A), colon > 0 else { throw .malformed }
        let name = line[0..<colon]
        // A blank in or before the name, as in folded lines, is how requests are smuggled (RFC 9112 §5.1, §5.2).
        guard name.memory.allSatisfy({ $0.isTokenCharacter }) else { throw .malformed }
        let value = line.dropFirst(colon + 1).trimmed
        if name.isEqualIgnoringCase("host") {
            hosts += 1
        } else if name.isEqualIgnoringCase("upgrade") {
            asksForWebSocket = asksForWebSocket || value.listContains { $0.isEqualIgnoringCase("websocket") }
        } else if name.isEqualIgnoringCase("connection") {
            asksForUpgrade = asksForUpgrade || value.listContains { $0.isEqualIgnoringCase("upgrade") }
        } else if name.isEqualIgnoringCase("sec-websocket-version") {
            try Self.set(&version, value)
        } else if name.isEqualIgnoringCase("sec-websocket-key") {
            try Self.set(&key, value)
        } else if name.isEqualIgnoringCase("origin") {
            try Self.set(&origin, value)
        } else if name.isEqualIgnoringCase("sec-websocket-protocol") {
            offer(value, subprotocols)
        } else if name.isEqualIgnoringCase("transfer-encoding") {
            hasBody = true
        } else if name.isEqualIgnoringCase("content-length") {
            hasBody = hasBody || !value.isEqual("0")
        }
    }

    private static func set(_ field: inout ByteString?, _ value: ByteView) throws(HandshakeRefusal) {
        guard field == nil else { throw .repeatedField }
        field = ByteString(value)
    }

    private mutating func offer(_ value: ByteView, _ subprotocols: [ByteString]) {
        for (index, known) in subprotocols.enumerated() where index < subprotocol ?? .max {
            if value.listContains({ item in known.withView { $0 == item } }) { subprotocol = index }
        }
    }

    /// What was asked, if all of it is in order.
    func request(_ rules: WebSocketRules) throws(HandshakeRefusal) -> HandshakeRequest {
        guard hosts == 1 else { throw .host }
        guard !hasBody else { throw .body }
        guard asksForWebSocket, asksForUpgrade else { throw .notWebSocket }
        guard version == "13" else { throw .version }
        guard let key, key.withView({ $0.isHandshakeKey }) else { throw .key }
        if let origin, !rules.origins.isEmpty {
            let isAllowed = rules.origins.contains { one in
                origin.withView { sent in one.withView { sent.isEqualIgnoringCase($0) } }
            }
            guard isAllowed else { throw .origin }
        }
        guard rules.subprotocols.isEmpty || subprotocol != nil else { throw .subprotocol }  // [MQTT-6.0.0-3]
        return HandshakeRequest(key: key, subprotocol: subprotocol.map { rules.subprotocols[$0] }, origin: origin)
    }
}
