import Bytes
import Messaging
import Testing

@Suite struct AccessFileTests {
    private func read(_ text: String) -> AccessFile { AccessFile(Array(text.utf8)) }

    private func may(
        _ file: AccessFile, _ access: AccessRules.Access, _ topic: ByteString, _ clientID: ByteString = "c",
        _ userName: ByteString? = nil
    ) -> Bool {
        let client = ClientIdentity(clientID: clientID, userName: userName)
        return topic.withView { topic in
            access == .read ? file.rules.mayReceive(topic, client) : file.rules.mayPublish(topic, client)
        }
    }

    @Test("General rules are for clients without a name, those below a user for that user, patterns for all")
    func sections() {
        let file = read(
            """
            # a comment
            topic read news/#

            user roger the first
            topic write up/roger
            topic both/ways
            pattern readwrite own/%c/#
            user ann
            topic deny up/secret
            topic write up/#
            user roger the first
            topic readwrite later
            """)
        #expect(file.faults.isEmpty)
        #expect(file.count == 7)
        #expect(may(file, .read, "news/x"))
        #expect(!may(file, .write, "news/x"))
        #expect(!may(file, .read, "news/x", "c", "ann"))
        #expect(may(file, .write, "up/roger", "c", "roger the first"))
        #expect(may(file, .read, "both/ways", "c", "roger the first"))
        #expect(may(file, .write, "later", "c", "roger the first"))
        #expect(!may(file, .write, "up/secret", "c", "ann"))
        #expect(may(file, .write, "up/other", "c", "ann"))
        for user in [nil, "ann", "nobody"] as [ByteString?] {
            #expect(may(file, .write, "own/c/x", "c", user))
            #expect(!may(file, .write, "own/d/x", "c", user))
        }
    }

    @Test(
        "Blanks, line ends and odd lines are taken as mosquitto takes them",
        arguments: [
            ("topic read a/b\r\n", "a/b", true), ("topic   read    a/b  \t\n", "a/b", true),
            ("  topic read a/b", "a/b", true), ("topic read a b/c d", "a b/c d", true),
            ("topic read", "read", true), ("topic deny\n", "deny", true), ("topic a/b", "a/b", true),
            ("#topic read a/b\n", "a/b", false), ("\r\n\n \t \ntopic a/b", "a/b", true),
            ("topic read zo\u{EB}", "zo\u{EB}", true), ("topic read zo\u{EB}", "zoe\u{308}", false),
        ] as [(String, String, Bool)])
    func blanks(text: String, topic: String, isAllowed: Bool) {
        let file = read(text)
        #expect(file.faults.isEmpty)
        #expect(may(file, .read, ByteString(topic)) == isAllowed)
    }

    @Test(
        "A line that is no rule is named with its number",
        arguments: [
            "topics a", "topic", "pattern ", "user", "user   ", "topic reads a/b", "topic a b", "topic read a#",
            "topic read a/#/b", "topic read +a", "pattern write #/", " # comment", "\ttopic a", "topic\tread a",
            "read a",
            "topic read a\0b", "\u{FEFF}topic a", "unsubscribe a",
        ])
    func faults(line: String) {
        let file = read("topic read fine\n\(line)\ntopic write fine\n")
        #expect(file.faults.map(\.line) == [2], "\(file.faults)")
        #expect(file.count == 2)
    }

    @Test("A file without a rule lets nobody do anything")
    func empty() {
        let file = read("# nothing\nuser ann\n")
        #expect(file.faults.isEmpty && file.count == 0)
        #expect(!file.rules.allowsAll)
        #expect(!may(file, .read, "a") && !may(file, .write, "a", "c", "ann"))
    }

    @Test("A filter has 201 levels at most, as in mosquitto")
    func levels() {
        let most = Array(repeating: "a", count: 201).joined(separator: "/")
        #expect(read("topic \(most)").faults.isEmpty)
        #expect(read("topic \(most)/a").faults.count == 1)
    }

    @Test("A hundred thousand rules are read, and asked without going through all of them", .timeLimit(.minutes(1)))
    func many() {
        var text = ""
        for number in 0..<50_000 { text += "topic readwrite plant/\(number)/+/value\nuser u\(number)\ntopic mine/#\n" }
        text = text.replacing("user u", with: "#")
        let file = read(text)
        #expect(file.count == 100_000 && file.faults.isEmpty)
        for number in stride(from: 0, to: 50_000, by: 5) {
            #expect(may(file, .write, ByteString("plant/\(number)/x/value")))
            #expect(!may(file, .write, ByteString("plant/\(number)/value")))
        }
    }

    @Test("Chance bytes are read to the end without a trap", arguments: 0..<200)
    func chance(seed: UInt64) {
        var random = Chance(state: seed)
        let words: [[UInt8]] = [
            "topic", "pattern", "user", "read", "write", "readwrite", "deny", "#", "+", "/", "%c", "%u", " ", " ", " ",
            "\n", "\n", "\r\n", "\t", "a", "$SYS", "\0", "\u{EB}",
        ].map { Array($0.utf8) }
        var bytes: [UInt8] = []
        for _ in 0..<200 {
            if random.below(20) == 0 {
                bytes.append(UInt8(truncatingIfNeeded: random.next()))
            } else {
                bytes += words[random.below(words.count)]
            }
        }
        let file = AccessFile(bytes)
        let lines = bytes.count { $0 == 0x0A } + 1
        #expect(file.faults.allSatisfy { (1...lines).contains($0.line) })
        for topic in ["a", "a/%c", "$SYS/x", "", "/", "+", "#"] as [ByteString] {
            for user in [nil, "a", "+", ""] as [ByteString?] {
                _ = may(file, .read, topic, "#", user)
                _ = topic.withView { file.rules.maySubscribe($0, ClientIdentity(clientID: "a", userName: user)) }
            }
        }
    }
}

/// Numbers that a seed decides.
struct Chance {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
}
