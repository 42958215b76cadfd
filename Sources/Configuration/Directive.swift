/// One row of the table of directives: its name, where it stands, what it takes, and whether it works yet.
///
/// The table is the one place that knows the names of `gateway.conf`; the parser, the suggestions for misspelt
/// names and the test over the shipped file all read it.
struct Directive: Sendable {
    /// Where a directive belongs.
    enum Scope: Sendable {
        /// Holds for the whole gateway, wherever it stands.
        case global
        /// Holds for the whole gateway, or for the current listener after `per_listener_settings true`.
        case security
        /// Holds for the listener that needs no `listener` line, wherever it stands.
        case defaultListener
        /// Holds for the current listener, whatever it speaks.
        case listener
        /// Holds for the current listener, which must speak MQTT.
        case mqttListener
        /// Holds for the current listener, which must speak MQTT over WebSocket.
        case webSocketListener
        /// Holds for the current listener, which must speak MQTT-SN.
        case deviceListener
        /// Belongs to a `connection` section.
        case bridge
    }

    /// What a directive does in this version.
    enum Status: Sendable {
        case active(Reading)
        /// Comes with a later version.
        case later(Shortfall)
        /// Will not come.
        case never(Shortfall)
    }

    /// Why a known directive has no effect, and how bad that is.
    struct Shortfall: Sendable {
        /// An error where the gateway would be less safe than the operator asked for, or leave out a service that
        /// the file is about; a warning elsewhere.
        var severity: Diagnostic.Severity
        /// The value that asks for what holds anyway, about which nothing needs to be said.
        var harmlessValue: String?
        /// What holds instead and what to write.
        var advice: String
    }

    /// What an active directive takes, and where it puts it.
    enum Reading: Sendable {
        /// `true` or `false`.
        case flag(@Sendable (inout ConfigurationDraft, Bool) -> Void)
        /// A whole number; the unit is for messages and may be empty.
        case number(ClosedRange<Int>, unit: String, @Sendable (inout ConfigurationDraft, Int) -> Void)
        /// One of a few words.
        case word([String], @Sendable (inout ConfigurationDraft, String) -> Void)
        /// The rest of the line.
        case text(what: String, @Sendable (inout ConfigurationDraft, Statement) -> Void)
        /// What it takes is its own business; `usage` says what that is.
        case own(usage: String, @Sendable (inout ConfigurationDraft, Statement) -> Void)
    }

    var name: String
    var scope: Scope
    var status: Status
    /// Whether it may be given more than once in its place.
    var isRepeatable = false

    /// Whether it works in this version.
    var isActive: Bool {
        if case .active = status { true } else { false }
    }
}

extension Directive {
    static func flag(
        _ name: String, in scope: Scope = .global, _ put: @escaping @Sendable (inout ConfigurationDraft, Bool) -> Void
    ) -> Directive {
        Directive(name: name, scope: scope, status: .active(.flag(put)))
    }

    static func number(
        _ name: String, in scope: Scope = .global, _ range: ClosedRange<Int>, _ unit: String = "",
        _ put: @escaping @Sendable (inout ConfigurationDraft, Int) -> Void
    ) -> Directive {
        Directive(name: name, scope: scope, status: .active(.number(range, unit: unit, put)))
    }

    static func word(
        _ name: String, in scope: Scope = .global, _ words: [String],
        _ put: @escaping @Sendable (inout ConfigurationDraft, String) -> Void
    ) -> Directive {
        Directive(name: name, scope: scope, status: .active(.word(words, put)))
    }

    static func text(
        _ name: String, in scope: Scope = .global, _ what: String,
        _ put: @escaping @Sendable (inout ConfigurationDraft, Statement) -> Void
    ) -> Directive {
        Directive(name: name, scope: scope, status: .active(.text(what: what, put)))
    }

    /// A directive with a form of its own that may be repeated.
    static func own(
        _ name: String, in scope: Scope = .global, _ usage: String,
        _ put: @escaping @Sendable (inout ConfigurationDraft, Statement) -> Void
    ) -> Directive {
        Directive(name: name, scope: scope, status: .active(.own(usage: usage, put)), isRepeatable: true)
    }

    static func later(
        _ severity: Diagnostic.Severity, _ name: String, in scope: Scope = .global, unless harmless: String? = nil,
        _ advice: String
    ) -> Directive {
        let shortfall = Shortfall(severity: severity, harmlessValue: harmless, advice: advice)
        return Directive(name: name, scope: scope, status: .later(shortfall), isRepeatable: true)
    }

    static func never(
        _ severity: Diagnostic.Severity, _ name: String, in scope: Scope = .global, unless harmless: String? = nil,
        _ advice: String
    ) -> Directive {
        let shortfall = Shortfall(severity: severity, harmlessValue: harmless, advice: advice)
        return Directive(name: name, scope: scope, status: .never(shortfall), isRepeatable: true)
    }
}
