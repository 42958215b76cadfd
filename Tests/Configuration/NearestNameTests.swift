import Testing

@testable import Configuration

@Suite struct NearestNameTests {
    @Test(
        "The distance counts inserted, missing, replaced and swapped letters",
        arguments: [
            ("", "", 0), ("", "abc", 3), ("abc", "abc", 0), ("abc", "abcd", 1), ("abc", "ac", 1), ("abc", "abd", 1),
            ("abc", "acb", 1), ("kitten", "sitting", 3), ("ca", "abc", 3),
        ])
    func distance(_ left: String, _ right: String, _ edits: Int) {
        #expect(NearestName.editDistance(Array(left.utf8), Array(right.utf8)) == edits)
        #expect(NearestName.editDistance(Array(right.utf8), Array(left.utf8)) == edits)
    }

    @Test("A near name is found, a far one is not offered")
    func nearest() {
        let names = ["listener", "log_dest", "log_type"]
        #expect(NearestName.of("listner", in: names) == "listener")
        #expect(NearestName.of("LISTENER", in: names) == "listener")
        #expect(NearestName.of("logdest", in: names) == "log_dest")
        #expect(NearestName.of("wildebeest", in: names) == nil)
        #expect(NearestName.of("", in: names) == nil)
        #expect(NearestName.of(String(repeating: "l", count: 41), in: names) == nil)
    }

    @Test("Every directive is found again with one letter missing", arguments: DirectiveTable.names)
    func oneLetterMissing(_ name: String) {
        guard name.count > 5 else { return }
        let typed = String(name.dropLast(2)) + String(name.suffix(1))
        let found = NearestName.of(typed, in: DirectiveTable.names) ?? ""
        #expect(NearestName.editDistance(Array(typed.utf8), Array(found.utf8)) <= 1)
    }
}
