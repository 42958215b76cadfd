internal import Bytes

/// `client-first-message` of RFC 5802 §7: `n,,n=user,r=nonce`.
struct ScramClientFirst: Equatable {
    /// The GS2 header, to be repeated in base 64 by the last message.
    var header: [UInt8]
    /// All behind the header, which is part of what is signed.
    var bare: [UInt8]
    /// Unescaped; compared byte for byte, without SASLprep [M-41].
    var userName: ByteString
    var nonce: [UInt8]

    init(_ message: [UInt8]) throws(AuthenticationFailure) {
        var parts = message.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)[...]
        guard let flag = parts.popFirst(), let authorization = parts.popFirst() else { throw .malformed }
        switch Array(flag) {
        case [UInt8(ascii: "n")], [UInt8(ascii: "y")]: break
        case let other where other.starts(with: Array("p=".utf8)): throw .channelBindingNotSupported
        default: throw .malformed
        }
        guard let name = parts.popFirst() else { throw .malformed }
        header = Array(message[..<name.startIndex])
        bare = Array(message[name.startIndex...])
        if name.starts(with: Array("m=".utf8)) { throw .extensionNotSupported }
        userName = try Self.name(ScramAttribute.value("n", of: name))
        guard userName.count <= ScramUsers.nameBytesMax else { throw .tooLong }
        guard let last = parts.popFirst() else { throw .malformed }
        nonce = Array(try ScramAttribute.value("r", of: last))
        guard !nonce.isEmpty, nonce.allSatisfy({ (0x21...0x7E).contains($0) }) else { throw .malformed }
        guard nonce.count <= ScramExchange.nonceBytesMax else { throw .tooLong }
        try ScramAttribute.checkExtensions(parts)
        if !authorization.isEmpty {
            let identity = try Self.name(ScramAttribute.value("a", of: authorization))
            guard identity == userName else { throw .authorizationIdentityDiffers }
        }
    }

    /// `saslname`: a comma stands as `=2C`, an equals sign as `=3D`.
    private static func name(_ text: ArraySlice<UInt8>) throws(AuthenticationFailure) -> ByteString {
        var bytes: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                bytes.append(byte)
                continue
            }
            switch Array(rest.prefix(2)) {
            case Array("2C".utf8): bytes.append(UInt8(ascii: ","))
            case Array("3D".utf8): bytes.append(UInt8(ascii: "="))
            default: throw .malformed
            }
            rest = rest.dropFirst(2)
        }
        guard !bytes.isEmpty else { throw .malformed }
        return ByteString(bytes)
    }
}

/// `client-final-message` of RFC 5802 §7: `c=biws,r=nonce,p=proof`.
struct ScramClientFinal: Equatable {
    /// The GS2 header as the client repeats it.
    var header: [UInt8]
    var nonce: [UInt8]
    /// All before the proof, which is part of what is signed.
    var withoutProof: [UInt8]
    var proof: [UInt8]

    init(_ message: [UInt8]) throws(AuthenticationFailure) {
        var parts = message.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)[...]
        guard let channel = parts.popFirst(), let second = parts.popFirst(), let last = parts.popLast() else {
            throw .malformed
        }
        guard let header = Base64.decode(try ScramAttribute.value("c", of: channel)),
            let proof = Base64.decode(try ScramAttribute.value("p", of: last)), proof.count == SHA256.digestBytes
        else { throw .malformed }
        self.header = header
        self.proof = proof
        nonce = Array(try ScramAttribute.value("r", of: second))
        withoutProof = Array(message[..<(last.startIndex - 1)])
        try ScramAttribute.checkExtensions(parts)
    }
}

/// The parts between the commas: a letter, an equals sign, a value.
private enum ScramAttribute {
    static func value(
        _ letter: Unicode.Scalar, of part: ArraySlice<UInt8>
    ) throws(AuthenticationFailure) -> ArraySlice<UInt8> {
        guard part.starts(with: [UInt8(ascii: letter), UInt8(ascii: "=")]) else { throw .malformed }
        return part.dropFirst(2)
    }

    /// Extensions that need not be understood are not; `m` says that one must be (RFC 5802 §5.1).
    static func checkExtensions(_ parts: ArraySlice<ArraySlice<UInt8>>) throws(AuthenticationFailure) {
        for part in parts {
            let text = Array(part.prefix(3))
            guard text.count == 3, text[1] == UInt8(ascii: "="), (0x41...0x5A).contains(text[0] & 0xDF) else {
                throw .malformed
            }
            if text[0] == UInt8(ascii: "m") { throw .extensionNotSupported }
        }
    }
}
