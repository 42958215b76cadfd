import BrokerCore
import Bytes
import Messaging

/// Lines are filters and names at once: all that are legal filters are subscribed to, by a few sessions, all that are
/// legal names are matched and retained; then half of the filters go, and it must still be right.
func fuzzFilters(_ input: ByteView) {
    guard input.count < 4096 else { return }
    let rules = TopicRules()
    let lines = Array(input.memory).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).prefix(64)
        .map { Array($0) }
    let filters = lines.filter { line in isLegal(line, rules.allowsFilter, isLegalFilter, "filter") }
    let names = lines.filter { line in isLegal(line, rules.allowsName, isLegalName, "name") }
    var tree = SubscriptionTree(seed: 7)
    var subscribed: [(filter: [UInt8], session: UInt32)] = []
    for (index, filter) in filters.enumerated() {
        let session = UInt32(index % 5)
        let options = SubscriptionOptions(maximumQoS: .atMostOnce)
        let isNew = !subscribed.contains { $0.filter == filter && $0.session == session }
        let replaced = view(filter) { tree.insert(filter: $0, session: session, options: options) }
        guard (replaced == nil) == isNew else { fail("replaced what was not there, or kept what was") }
        if isNew { subscribed.append((filter, session)) }
    }
    check(tree, subscribed, names)
    while subscribed.count > filters.count / 2, let (filter, session) = subscribed.popLast() {
        guard view(filter, { tree.remove(filter: $0, session: session) }) != nil else { fail("nothing was removed") }
    }
    check(tree, subscribed, names)
    checkRetained(names, filters)
    while let (filter, session) = subscribed.popLast() {
        view(filter) { _ = tree.remove(filter: $0, session: session) }
    }
    guard tree.nodeCount == 0, tree.count == 0 else { fail("\(tree.nodeCount) levels are left over") }
}

private func check(_ tree: SubscriptionTree, _ subscribed: [(filter: [UInt8], session: UInt32)], _ names: [[UInt8]]) {
    guard tree.count == subscribed.count else { fail("\(tree.count) subscriptions and not \(subscribed.count)") }
    for name in names {
        var matches: [Match] = []
        _ = view(name) { tree.match($0, into: &matches) }
        let expected = subscribed.filter { matchesPlainly($0.filter, name) }.map(\.session).sorted()
        guard matches.map(\.session).sorted() == expected else { fail("\(name) reached \(matches)") }
    }
}

private func checkRetained(_ names: [[UInt8]], _ filters: [[UInt8]]) {
    var tree = RetainedTree(seed: 9)
    var places: [[UInt8]] = []
    for name in names where !places.contains(name) {
        view(name) { tree.insert(name: $0, topic: TopicID(index: UInt32(places.count))) }
        places.append(name)
    }
    for filter in filters {
        var found: [TopicID] = []
        view(filter) { _ = tree.matches(filter: $0, into: &found) }
        let expected = places.indices.filter { matchesPlainly(filter, places[$0]) }
        guard found.map({ Int($0.index) }).sorted() == expected else { fail("\(filter) found \(found)") }
    }
    for name in places {
        guard view(name, { tree.remove(name: $0) }) != nil else { fail("no retained topic was removed") }
    }
    guard tree.nodeCount == 0 else { fail("\(tree.nodeCount) levels of retained topics are left over") }
}

private func view<Result>(_ bytes: [UInt8], _ body: (ByteView) -> Result) -> Result {
    bytes.withUnsafeBytes { body(ByteView($0)) }
}

// MARK: - MQTT 5.0 §4.7, written plainly

/// Whether our rule allows the line; the plain one must say the same.
private func isLegal(
    _ line: [UInt8], _ rule: (ByteView) -> Bool, _ plain: ([UInt8]) -> Bool, _ what: String
) -> Bool {
    let isAllowed = view(line, rule)
    guard isAllowed == plain(line) else { fail("\(line) as a \(what): \(isAllowed)") }
    return isAllowed
}

private func levels(_ bytes: [UInt8]) -> [[UInt8]] {
    bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map { Array($0) }
}

private func isLegalName(_ name: [UInt8]) -> Bool {
    !name.isEmpty && name.count <= 1024 && levels(name).count <= 64
        && !name.contains(UInt8(ascii: "+")) && !name.contains(UInt8(ascii: "#"))
}

private func isLegalFilter(_ filter: [UInt8]) -> Bool {
    let levels = levels(filter)
    guard !filter.isEmpty, filter.count <= 1024, levels.count <= 64 else { return false }
    for (index, level) in levels.enumerated() {
        if level.contains(UInt8(ascii: "#")), level.count > 1 || index < levels.count - 1 { return false }
        if level.contains(UInt8(ascii: "+")), level.count > 1 { return false }
    }
    return true
}

private func matchesPlainly(_ filter: [UInt8], _ name: [UInt8]) -> Bool {
    let (wanted, given) = (levels(filter), levels(name))
    let (one, all) = ([UInt8(ascii: "+")], [UInt8(ascii: "#")])
    if name.first == UInt8(ascii: "$"), wanted[0] == one || wanted[0] == all { return false }
    for (depth, level) in wanted.enumerated() {
        if level == all { return true }
        guard depth < given.count, level == one || level == given[depth] else { return false }
    }
    return wanted.count == given.count
}
