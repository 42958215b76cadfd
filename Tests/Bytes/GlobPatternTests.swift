import Bytes
import Testing

@Suite struct GlobPatternTests {
    @Test(
        "A pattern fits whole names",
        arguments: [
            ("", "", true), ("", "a", false), ("*", "", true), ("*", "anything", true), ("?", "", false),
            ("?", "a", true), ("?", "ab", false), ("?", "ü", true), ("??", "ü", false), ("a", "A", false),
            ("pump-*", "pump-", true), ("pump-*", "pump-7", true), ("pump-*", "my-pump-7", false),
            ("*-7", "pump-7", true), ("*-7", "pump-77", false), ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false), ("**", "x", true), ("a*", "ba", false), ("h?ll-*", "hall-1", true),
            ("*?", "", false), ("*?", "x", true), ("a?", "a*", true), ("*ab", "aab", true), ("*ü", "aü", true),
        ])
    func matches(_ pattern: String, _ name: String, _ isMatch: Bool) {
        #expect(GlobPattern(ByteString(pattern)).matches(ByteString(name)) == isMatch)
    }

    @Test("Many stars in front of what is not there cost the product of the lengths, not a power of it")
    func manyStars() {
        let pattern = GlobPattern(ByteString(String(repeating: "*a", count: 200) + "b"))
        #expect(!pattern.matches(ByteString(String(repeating: "a", count: 2_000))))
    }

    @Test("Bytes that are no text are compared all the same")
    func rawBytes() {
        #expect(GlobPattern("a?").matches(ByteString([0x61, 0xFF])))
        #expect(GlobPattern(ByteString([0xFF, 0x2A])).matches(ByteString([0xFF, 0x80])))
        #expect(GlobPattern("?").matches(ByteString([0x80, 0x80])))
    }
}

extension GlobPattern {
    fileprivate func matches(_ name: ByteString) -> Bool { name.withView(matches) }
}
