package import Authentication
internal import Bytes

/// The client's side of SCRAM-SHA-256, as tests need it.
package struct ScramClient {
    package var user: String
    package var password: String
    package var header: String
    package var nonce = "fyko+d2lbbFgONRv9qkxdawL"

    package init(user: String, password: String, header: String = "n,,") {
        self.user = user
        self.password = password
        self.header = header
    }

    /// The first message.
    package var first: String { "\(header)n=\(user),r=\(nonce)" }

    /// The last message, to what the server said first.
    package func final(to serverFirst: String) throws -> String {
        let parts = serverFirst.split(separator: ",").map { Array($0.utf8.dropFirst(2)) }
        let salt = Base64.decode(parts[1][...]) ?? []
        let iterations = Int(String(decoding: parts[2], as: UTF8.self)) ?? 0
        let salted = try SHA256.pbkdf2(password: Array(password.utf8), salt: salt, iterations: iterations)
        let clientKey = try SHA256.hmac(key: salted, Array("Client Key".utf8))
        let channel = String(decoding: Base64.encode(Array(header.utf8)), as: UTF8.self)
        let withoutProof = "c=\(channel),r=\(String(decoding: parts[0], as: UTF8.self))"
        let signed = "n=\(user),r=\(nonce),\(serverFirst),\(withoutProof)"
        let signature = try SHA256.hmac(key: SHA256.digest(clientKey), Array(signed.utf8))
        let proof = zip(clientKey, signature).map { $0 ^ $1 }
        return withoutProof + ",p=" + String(decoding: Base64.encode(proof), as: UTF8.self)
    }
}

/// Verifiers of these users.
package func users(_ passwords: [String: String], iterations: Int = 4_096) throws -> ScramUsers {
    var verifiers: [ByteString: ScramVerifier] = [:]
    for (name, password) in passwords {
        verifiers[ByteString(name)] = try ScramVerifier(
            password: Array(password.utf8), salt: Array("salt of \(name)----------".utf8.prefix(16)),
            iterations: iterations)
    }
    return try ScramUsers(verifiers)
}
