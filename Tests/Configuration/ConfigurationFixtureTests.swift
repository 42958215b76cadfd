import Configuration
import Foundation
import Testing

@Suite struct ConfigurationFixtureTests {
    @Test("There are fixtures, and each says what it expects")
    func fixturesExist() {
        #expect(ConfigurationFixture.all.count >= 60)
        for fixture in ConfigurationFixture.all {
            #expect(!fixture.isEmpty, "\(fixture.name)")
        }
    }

    @Test("A file gets the diagnostics and the values that it expects", arguments: ConfigurationFixture.all)
    func fixture(_ fixture: ConfigurationFixture) {
        let outcome = ConfigurationParser.parse(fixture.name, from: FixtureSource())
        expectDiagnostics(of: fixture, in: outcome)
        let hasError = fixture.diagnostics.contains { $0.severity == .error }
        #expect((outcome.configuration == nil) == hasError)
        for value in fixture.values {
            let summary = outcome.configuration?.summary ?? []
            #expect(summary.contains(value), "\(summary.joined(separator: "\n"))")
        }
    }

    private func expectDiagnostics(of fixture: ConfigurationFixture, in outcome: ConfigurationOutcome) {
        let notes = fixture.diagnostics.filter { $0.severity == .note }
        for note in notes {
            let isThere = outcome.diagnostics.contains { matches($0, note) }
            #expect(isThere, "\(note) is not in \(outcome.diagnostics)")
        }
        let weighty = outcome.diagnostics.filter { $0.severity != .note }
        let expected = fixture.diagnostics.filter { $0.severity != .note }
        #expect(weighty.count == expected.count, "\(outcome.diagnostics.map { $0.description })")
        for (diagnostic, expectation) in zip(weighty, expected) {
            #expect(matches(diagnostic, expectation), "\(diagnostic) is not \(expectation)")
        }
    }

    private func matches(_ diagnostic: Diagnostic, _ expectation: ConfigurationFixture.Expectation) -> Bool {
        diagnostic.severity == expectation.severity && diagnostic.location == expectation.location
            && diagnostic.message.contains(expectation.text)
    }
}
