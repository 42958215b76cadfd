internal import Bytes

/// The rules of one list, in such an order that a question about a topic looks at few of them, however many there are.
///
/// A rule has a head: the levels of its filter before the first that is a wildcard or has a name in it. It matches
/// topics alone that begin with these levels, so each beginning of a topic, one for each level, is looked up once.
struct RuleList: Equatable, Sendable {
    /// Ascending by their heads.
    private let rules: [AccessRules.Rule]

    init(_ rules: [AccessRules.Rule]) {
        self.rules = rules.sorted { $0.head.lexicographicallyPrecedes($1.head) }
    }

    /// What the list says about receiving from a filter or publishing to it: every rule is asked.
    func verdict(onFilter filter: ByteView, _ access: AccessRules.Access, _ client: ClientIdentity?) -> Bool? {
        var verdict: Bool?
        for rule in rules where rule.concerns(access) && rule.applies(toFilter: filter, client) {
            if rule.access == .deny { return false }
            verdict = true
        }
        return verdict
    }

    /// What the list says about a topic; nil if nothing. What denies counts before what grants.
    ///
    /// - Parameter client: whose names stand for `%c` and `%u`; nil for rules without them.
    func verdict(on topic: ByteView, _ access: AccessRules.Access, _ client: ClientIdentity?) -> Bool? {
        guard !rules.isEmpty else { return nil }
        var verdict: Bool?
        var end = 0
        while true {
            var place = firstRule(notBefore: topic[0..<end])
            while place < rules.count, rules[place].hasHead(topic[0..<end]) {
                defer { place += 1 }
                guard rules[place].concerns(access), rules[place].applies(to: topic, client) else { continue }
                if rules[place].access == .deny { return false }
                verdict = true
            }
            guard end < topic.count else { return verdict }
            repeat { end += 1 } while end < topic.count && topic[end] != UInt8(ascii: "/")
        }
    }

    /// Where the rules with a head begin, or would stand.
    private func firstRule(notBefore head: ByteView) -> Int {
        var (low, high) = (0, rules.count)
        while low < high {
            let middle = (low + high) / 2
            if rules[middle].headPrecedes(head) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

extension AccessRules.Rule {
    fileprivate var head: ArraySlice<UInt8> { filter.bytes[..<headCount] }

    fileprivate func hasHead(_ head: ByteView) -> Bool {
        headCount == head.count && filter.withView { $0[0..<headCount] == head }
    }

    fileprivate func headPrecedes(_ other: ByteView) -> Bool {
        filter.withView { $0[0..<headCount].memory.lexicographicallyPrecedes(other.memory) }
    }

    fileprivate func concerns(_ asked: AccessRules.Access) -> Bool {
        access == asked || access == .deny || access == .readwrite
    }

    fileprivate func applies(to topic: ByteView, _ client: ClientIdentity?) -> Bool {
        withPattern(client) { $0.matches(topic) }
    }

    /// A denial counts for a filter only if nothing of the filter escapes it [M-24].
    fileprivate func applies(toFilter other: ByteView, _ client: ClientIdentity?) -> Bool {
        withPattern(client) { access == .deny ? $0.covers(other) : $0.overlaps(other) }
    }

    private func withPattern(_ client: ClientIdentity?, _ body: (FilterPattern) -> Bool) -> Bool {
        filter.withView { filter in
            guard let client, hasPlaceholder else { return body(FilterPattern(filter)) }
            return withView(of: client.clientID) { clientID in
                withView(of: client.userName) { userName in
                    let pattern = FilterPattern(
                        filter, clientID: clientID, userName: userName, widens: access == .deny)
                    return pattern.map(body) ?? false
                }
            }
        }
    }

    private func withView(of name: ByteString?, _ body: (ByteView?) -> Bool) -> Bool {
        guard let name else { return body(nil) }
        return name.withView { body($0) }
    }
}
