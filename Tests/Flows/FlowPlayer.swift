import Bytes
import Clockwork
import Support

/// Plays the lines of a flow in a `FlowWorld`, and notes what was not as the flow says.
struct FlowPlayer {
    private var world: FlowWorld
    /// What the gateway chose, by the names that the flow gave it.
    private var names: [String: String] = [:]
    /// The first fault; the rest of the flow means nothing behind it.
    private(set) var fault: String?
    /// The lines so far, for whoever reads a fault.
    private var played: [String] = []

    init(_ flow: Flow) throws {
        world = try FlowWorld(flow)
    }

    /// Plays everything; returns what went wrong, nil if nothing did.
    static func play(_ flow: Flow) throws -> String? {
        var player = try FlowPlayer(flow)
        defer { player.world.end() }
        for line in flow.lines where player.fault == nil {
            player.played.append(line)
            do {
                try player.play(line)
            } catch {
                player.fail("\(error)")
            }
        }
        player.expectNothingMore()
        return player.fault
    }

    private mutating func fail(_ text: String) {
        guard fault == nil else { return }
        fault = text + "\n    " + played.suffix(12).joined(separator: "\n    ")
    }

    private mutating func play(_ step: String) throws {
        let line = withAddresses(step)
        let words = try Words.split(line)
        guard let first = words.first else { return }
        switch first {
        case "advance":
            expectNothingMore()
            world.advance(by: try Self.duration(words.last ?? ""))
        case "restart":
            expectNothingMore()
            world.restart()
        case "check":
            try check(words)
        default:
            guard words.count > 2, let sign = line.firstRange(of: " \(words[1]) ") else {
                throw SNWords.Malformed(description: "not a step: \(line)")
            }
            let rest = String(line[sign.upperBound...])
            switch words[1] {
            case ">": try send(rest, as: first)
            case "<": try expect(rest, at: first)
            default: throw SNWords.Malformed(description: "not a step: \(line)")
            }
        }
        if let trouble = world.trouble { fail(trouble) }
    }

    /// The step with `{dev}` replaced by where the gateway says that `dev` is.
    private mutating func withAddresses(_ step: String) -> String {
        var line = step
        while let found = line.firstMatch(of: /\{([a-z0-9][^{}"]*)\}/) {
            line.replaceSubrange(found.range, with: world.address(of: String(found.1)))
        }
        return line
    }

    /// `1.5s` or `250ms`.
    private static func duration(_ text: String) throws -> Duration {
        let digits = text.prefix { $0.isNumber || $0 == "." }
        guard let number = Double(digits) else { throw SNWords.Malformed(description: "no duration: \(text)") }
        switch text.dropFirst(digits.count) {
        case "s": return .milliseconds(Int(number * 1000))
        case "ms": return .milliseconds(Int(number))
        default: throw SNWords.Malformed(description: "no duration: \(text)")
        }
    }

    /// `check $a != $b`, `check $a == $b`.
    private mutating func check(_ words: [String]) throws {
        guard words.count == 4, let left = names[words[1]], let right = names[words[3]] else {
            throw SNWords.Malformed(description: "nothing to check")
        }
        if (words[2] == "==") != (left == right) { fail("\(words[1]) is \(left), \(words[3]) is \(right)") }
    }

    // MARK: - Sending

    private mutating func send(_ text: String, as party: String) throws {
        expectNothingMore()
        if text.first?.isUppercase == true {
            var words = try SNWords(text)
            for index in words.fields.indices { words.fields[index].value = try known(words.fields[index].value) }
            world.send(try words.bytes(), from: party)
        } else if text.hasPrefix("hex ") {
            world.send(try FixtureNotation.bytes(String(text.dropFirst(4))), from: party)
        } else {
            try world.act(try Words.split(text), as: party)
        }
    }

    private func known(_ value: String) throws -> String {
        guard value.hasPrefix("$") else { return value }
        guard let bound = names[value] else { throw SNWords.Malformed(description: "\(value) is not known yet") }
        return bound
    }

    // MARK: - Hearing

    private mutating func expect(_ text: String, at party: String) throws {
        if text == "nothing" { return expectNothingMore() }
        guard let heard = world.takeHeard(by: party) else { return fail("\(party) hears nothing") }
        switch heard {
        case .datagram(let bytes): try match(bytes, text, at: party)
        case .multicast(let bytes, let hops):
            // How far it goes is said where the flow is about that.
            guard let end = text.firstMatch(of: /\ within ([0-9]+) hops$/) else {
                return try match(bytes, text, at: party)
            }
            if String(hops) != end.1 { fail("\(party) hears \(heard)") }
            try match(bytes, String(text[..<end.range.lowerBound]), at: party)
        case .word(let word):
            if word != (try Words.split(text).joined(separator: " ")) { fail("\(party) hears \(word)") }
        }
    }

    private mutating func match(_ bytes: [UInt8], _ text: String, at party: String) throws {
        if text.hasPrefix("hex ") {
            let expected = try FixtureNotation.bytes(String(text.dropFirst(4)))
            if expected != bytes { fail("\(party) hears \(FlowWorld.Heard.datagram(bytes))") }
        } else if let words = SNWords(bytes) {
            try match(words, SNWords(text), at: party)
        } else {
            fail("\(party) hears what is no message: \(FlowWorld.Heard.datagram(bytes))")
        }
    }

    private mutating func match(_ heard: SNWords, _ expected: SNWords, at party: String) throws {
        guard heard.name == expected.name, heard.fields.map(\.name) == expected.fields.map(\.name) else {
            return fail("\(party) hears \(heard)")
        }
        for (got, wanted) in zip(heard.fields, expected.fields) where got.value != wanted.value {
            guard wanted.value.hasPrefix("$") else { return fail("\(party) hears \(heard)") }
            if names[wanted.value, default: got.value] != got.value {
                return fail("\(party) hears \(heard), and \(wanted.value) is \(names[wanted.value] ?? "")")
            }
            names[wanted.value] = got.value
        }
    }

    private mutating func expectNothingMore() {
        if let (party, heard) = world.nextHeard { fail("before this step \(party) hears \(heard)") }
    }
}
