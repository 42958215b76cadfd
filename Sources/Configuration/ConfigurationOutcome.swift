/// What became of a configuration file: the value, if the file may be used, and everything there is to say.
package struct ConfigurationOutcome: Equatable, Sendable {
    /// Nil if any diagnostic is an error.
    package var configuration: GatewayConfiguration?
    /// In the order of the lines they speak of; those about a file as a whole last.
    package var diagnostics: [Diagnostic]

    package init(configuration: GatewayConfiguration?, diagnostics: [Diagnostic]) {
        self.configuration = configuration
        self.diagnostics = diagnostics
    }

    /// How many diagnostics have this severity.
    package func count(of severity: Diagnostic.Severity) -> Int {
        diagnostics.count { $0.severity == severity }
    }
}
