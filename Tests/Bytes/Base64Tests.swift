import Bytes
import Testing

@Suite struct Base64Tests {
    @Test(
        "Base 64 is strict: one value, one form",
        arguments: [
            ("", true), ("AA==", true), ("AAA=", true), ("AAAA", true), ("+/+/", true), ("A", false), ("AA", false),
            ("AAA", false), ("A===", false), ("====", false), ("AB==", false), ("AAB=", false), ("AA=A", false),
            ("AA==AAAA", false), ("AA A", false), ("-_-_", false), ("AAAA\n", false),
        ])
    func base64(text: String, isRight: Bool) {
        let bytes = Base64.decode(Array(text.utf8)[...])
        #expect((bytes != nil) == isRight)
        if let bytes { #expect(Base64.encode(bytes) == Array(text.utf8)) }
    }
}
