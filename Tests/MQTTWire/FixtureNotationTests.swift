import Bytes
import Support
import Testing

@Suite struct FixtureNotationTests {
    @Test(
        "Digits, texts, repetitions and groups become bytes",
        arguments: [
            ("", []), (" | ", []), ("10 0d", [0x10, 0x0D]), ("000A|ff", [0x00, 0x0A, 0xFF]),
            ("0002 'hi'", [0x00, 0x02, 0x68, 0x69]), ("''", []), ("'a | b'", [0x61, 0x20, 0x7C, 0x20, 0x62]),
            ("00*3 01", [0, 0, 0, 1]), ("'ab'*2", [0x61, 0x62, 0x61, 0x62]), ("00*0", []),
            ("(01 'a')*2 (02)", [0x01, 0x61, 0x01, 0x61, 0x02]), ("((01)*2 02)*2", [1, 1, 2, 1, 1, 2]),
        ] as [(String, [UInt8])])
    func reads(text: String, bytes: [UInt8]) throws {
        #expect(try FixtureNotation.bytes(text) == bytes)
    }

    @Test(
        "What is not in the notation is refused",
        arguments: ["1", "0x10", "'a", "(00", "00)", "00*", "*3", "g", "é"])
    func refuses(text: String) {
        #expect(throws: FixtureNotation.Malformed.self) { try FixtureNotation.bytes(text) }
    }

    @Test(
        "Bytes become one unmistakable word",
        arguments: [
            ([], "''"), ([0x61, 0x2F, 0x62], "a/b"), ([0x61, 0x20], "0x6120"), ([0xC3, 0xA9], "0xc3a9"),
            ([0x28], "0x28"), ([0x30, 0x78], "0x3078"), ([0x00], "0x00"),
        ] as [([UInt8], String)])
    func words(bytes: [UInt8], word: String) {
        #expect(withView(bytes) { FixtureNotation.word($0) } == word)
    }

    @Test("More than 64 bytes are counted")
    func longWords() {
        #expect(withView([UInt8](repeating: 0x61, count: 64)) { FixtureNotation.word($0) }.count == 64)
        #expect(withView([UInt8](repeating: 0x61, count: 65)) { FixtureNotation.word($0) } == "<65 bytes>")
    }
}
