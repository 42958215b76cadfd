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
        /// Bytes of the levels before the first that is a wildcard or has `%c` or `%u` in it.
        let headCount: Int
        /// Whether `%c` or `%u` is in it.
        let hasPlaceholder: Bool

        /// Nil if `filter` is no topic filter (MQTT 5.0 §4.7), or has more than 201 levels, as in mosquitto.
        package init?(_ access: Access, _ filter: ByteString) {
            let rules = TopicRules(bytesMax: Int(UInt16.max), levelsMax: 201)
            guard filter.withView({ rules.allowsFilter($0) }) else { return nil }
            self.access = access
            self.filter = filter
            (headCount, hasPlaceholder) = filter.withView { ($0.literalHeadCount, $0.hasPlaceholder) }
        }
    }

    /// Whether there are no rules at all: everybody may do everything.
    package let allowsAll: Bool
    /// For clients without a user name.
    private let anonymous: RuleList
    /// For each user.
    private let users: [ByteString: RuleList]
    /// For everybody, with `%c` and `%u` for names.
    private let patterns: RuleList

    /// Everybody may do everything.
    package static let allowAll = AccessRules(allowsAll: true, anonymous: [], users: [:], patterns: [])

    /// These rules; what they do not grant is denied.
    package init(anonymous: [Rule] = [], users: [ByteString: [Rule]] = [:], patterns: [Rule] = []) {
        self.init(allowsAll: false, anonymous: anonymous, users: users, patterns: patterns)
    }

    private init(allowsAll: Bool, anonymous: [Rule], users: [ByteString: [Rule]], patterns: [Rule]) {
        self.allowsAll = allowsAll
        self.anonymous = RuleList(anonymous)
        self.users = users.mapValues { RuleList($0) }
        self.patterns = RuleList(patterns)
    }
}

/// Whom the rules ask about.
package struct ClientIdentity: Hashable, Sendable {
    /// Nil for a message without a session (MQTT-SN 1.2 §6.8).
    package var clientID: ClientID?
    /// Nil for nobody in particular.
    package var userName: ByteString?
    /// The listener that it came by, whose rules it is under; `unknownListener` where that was not kept.
    package var listener: UInt16

    /// A listener that nobody comes by.
    package static let unknownListener = UInt16.max

    package init(clientID: ClientID?, userName: ByteString?, listener: UInt16 = unknownListener) {
        self.clientID = clientID
        self.userName = userName
        self.listener = listener
    }

    /// Somebody of whom nothing is known.
    package static let anonymous = ClientIdentity(clientID: nil, userName: nil)
}

// MARK: - Questions

extension AccessRules {
    /// Whether a message on `topic` is taken from this client.
    package func mayPublish(_ topic: ByteView, _ client: ClientIdentity) -> Bool {
        answer(client) { list, client in list.verdict(on: topic, .write, client) }
    }

    /// Whether this client is sent messages on `topic`.
    package func mayReceive(_ topic: ByteView, _ client: ClientIdentity) -> Bool {
        answer(client) { list, client in list.verdict(on: topic, .read, client) }
    }

    /// Whether a subscription makes sense: some topic of `filter` may be received. A filter may be wider than what is
    /// granted, since each delivery is asked about by its topic; it is refused when nothing could ever come [M-24].
    /// - Parameter filter: without `$share/…/`.
    package func maySubscribe(_ filter: ByteView, _ client: ClientIdentity) -> Bool {
        answer(client) { list, client in list.verdict(onFilter: filter, .read, client) }
    }

    /// The client's own list is asked first, then the patterns with its names.
    private func answer(_ client: ClientIdentity, _ ask: (RuleList, ClientIdentity?) -> Bool?) -> Bool {
        if allowsAll { return true }
        let own = client.userName.map { users[$0] } ?? anonymous
        return own.flatMap { ask($0, nil) } ?? ask(patterns, client) ?? false
    }
}
