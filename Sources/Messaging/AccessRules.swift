package import Bytes

/// Who may publish and receive what, with the meaning of mosquitto's `acl_file`.
///
/// A client without a user name is under the anonymous rules, one with a user name under that user's, and all are
/// under the patterns, where a level `%c` stands for the client id and `%u` for the user name. Of each list the
/// denials count first, then what grants; the user's own list is asked before the patterns, and what nobody grants
/// is denied.
package struct AccessRules: Equatable, Sendable {
    /// What a rule says about the topics of its filter.
    package enum Access: Equatable, Sendable {
        /// May receive messages.
        case read
        /// May publish.
        case write
        case readwrite
        /// Neither, whatever other rules of the list say.
        case deny
    }

    /// One line of the rules.
    package struct Rule: Equatable, Sendable {
        package let access: Access
        package let filter: ByteString

        /// Nil if `filter` is no topic filter (MQTT 5.0 §4.7).
        package init?(_ access: Access, _ filter: ByteString) {
            let rules = TopicRules(bytesMax: Int(UInt16.max), levelsMax: .max)
            guard filter.withView({ rules.allowsFilter($0) }) else { return nil }
            self.access = access
            self.filter = filter
        }
    }

    /// Whether there are no rules at all: everybody may do everything.
    package let allowsAll: Bool
    /// For clients without a user name.
    package let anonymous: [Rule]
    /// For each user.
    package let users: [ByteString: [Rule]]
    /// For everybody, with `%c` and `%u` as levels.
    package let patterns: [Rule]

    /// Everybody may do everything.
    package static let allowAll = AccessRules(allowsAll: true, anonymous: [], users: [:], patterns: [])

    /// These rules; what they do not grant is denied.
    package init(anonymous: [Rule] = [], users: [ByteString: [Rule]] = [:], patterns: [Rule] = []) {
        self.init(allowsAll: false, anonymous: anonymous, users: users, patterns: patterns)
    }

    private init(allowsAll: Bool, anonymous: [Rule], users: [ByteString: [Rule]], patterns: [Rule]) {
        self.allowsAll = allowsAll
        self.anonymous = anonymous
        self.users = users
        self.patterns = patterns
    }
}

/// Whom the rules ask about.
package struct ClientIdentity: Hashable, Sendable {
    /// Nil for a message without a session (MQTT-SN 1.2 §6.8).
    package var clientID: ClientID?
    /// Nil for nobody in particular.
    package var userName: ByteString?

    package init(clientID: ClientID?, userName: ByteString?) {
        self.clientID = clientID
        self.userName = userName
    }

    /// Somebody of whom nothing is known.
    package static let anonymous = ClientIdentity(clientID: nil, userName: nil)
}

// MARK: - Questions

extension AccessRules {
    /// Whether a message on `topic` is taken from this client.
    package func mayPublish(_ topic: ByteView, _ client: ClientIdentity) -> Bool {
        answer(Question(.write, topic, isFilter: false), client)
    }

    /// Whether this client is sent messages on `topic`.
    package func mayReceive(_ topic: ByteView, _ client: ClientIdentity) -> Bool {
        answer(Question(.read, topic, isFilter: false), client)
    }

    /// Whether a subscription makes sense: some topic of `filter` may be received. A filter may be wider than what is
    /// granted, since each delivery is asked about by its topic; it is refused when nothing could ever come [M-24].
    /// - Parameter filter: without `$share/…/`.
    package func maySubscribe(_ filter: ByteView, _ client: ClientIdentity) -> Bool {
        answer(Question(.read, filter, isFilter: true), client)
    }

    private struct Question {
        let access: Access
        let topic: ByteView
        let isFilter: Bool

        init(_ access: Access, _ topic: ByteView, isFilter: Bool) {
            self.access = access
            self.topic = topic
            self.isFilter = isFilter
        }
    }

    private func answer(_ question: Question, _ client: ClientIdentity) -> Bool {
        if allowsAll { return true }
        let own = client.userName.map { users[$0] ?? [] } ?? anonymous
        let verdict = Self.verdict(of: own, question, nil) ?? Self.verdict(of: patterns, question, client)
        return verdict ?? false
    }

    /// What a list says; nil if nothing. A denial counts for a filter only if nothing of the filter escapes it.
    private static func verdict(of rules: [Rule], _ question: Question, _ client: ClientIdentity?) -> Bool? {
        for rule in rules where rule.access == .deny {
            if applies(rule, question, client) { return false }
        }
        for rule in rules where rule.access == .readwrite || rule.access == question.access {
            if applies(rule, question, client) { return true }
        }
        return nil
    }

    /// - Parameter client: whose names stand for `%c` and `%u`; nil for a rule without them.
    private static func applies(_ rule: Rule, _ question: Question, _ client: ClientIdentity?) -> Bool {
        rule.filter.withView { filter in
            guard let client else { return applies(rule, FilterPattern(filter), question) }
            guard filter.hasPlaceholder else { return applies(rule, FilterPattern(filter), question) }
            return withView(of: client.clientID) { clientID in
                withView(of: client.userName) { userName in
                    let pattern = FilterPattern(
                        filter, clientID: clientID, userName: userName, widens: rule.access == .deny)
                    return pattern.map { applies(rule, $0, question) } ?? false
                }
            }
        }
    }

    private static func applies(_ rule: Rule, _ pattern: FilterPattern, _ question: Question) -> Bool {
        guard question.isFilter else { return pattern.matches(question.topic) }
        return rule.access == .deny ? pattern.covers(question.topic) : pattern.overlaps(question.topic)
    }

    private static func withView(of name: ByteString?, _ body: (ByteView?) -> Bool) -> Bool {
        guard let name else { return body(nil) }
        return name.withView { body($0) }
    }
}
