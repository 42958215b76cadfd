import Testing

@testable import Configuration

@Suite struct StatementTests {
    private let place = FileLocation(file: "f", line: 1)

    @Test(
        "A line is a name and the rest",
        arguments: [
            ("a b", "a", "b"), ("  a  b c  ", "a", "b c"), ("a", "a", ""), ("a\tb", "a", "b"),
            ("a b # c", "a", "b # c"), ("a b\r", "a", "b"), ("a b\r\r", "a", "b"), ("a ", "a", ""),
        ])
    func statement(_ text: String, _ name: String, _ value: String) {
        let expected = Statement(location: place, name: name, value: Array(value.utf8))
        #expect(Statement.read(Array(text.utf8)[...], at: place) == .statement(expected))
    }

    @Test("Empty lines and comments say nothing", arguments: ["", " ", "\t", "\r", "#", "# a", "#a b"])
    func nothing(_ text: String) {
        #expect(Statement.read(Array(text.utf8)[...], at: place) == .nothing)
    }

    @Test("A line may have 65,536 bytes and not one more")
    func longestLine() {
        let longest = [UInt8](repeating: 0x61, count: Statement.lineBytesMax)
        #expect(
            Statement.read(longest[...], at: place)
                == .statement(Statement(location: place, name: String(decoding: longest, as: UTF8.self), value: [])))
        let tooLong = longest + [0x61]
        #expect(
            Statement.read(tooLong[...], at: place) == .fault("the line is longer than 65536 bytes"))
    }
}
