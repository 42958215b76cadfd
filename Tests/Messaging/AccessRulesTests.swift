import Bytes
import Messaging
import Testing

/// What somebody may do with a topic.
private struct Rights: Equatable {
    var write: Bool
    var read: Bool
    var subscribe: Bool

    init(_ write: Bool, _ read: Bool, _ subscribe: Bool) {
        self.write = write
        self.read = read
        self.subscribe = subscribe
    }
}

@Suite struct AccessRulesTests {
    private func rules(_ lines: [(AccessRules.Access, ByteString)]) -> [AccessRules.Rule] {
        lines.compactMap { AccessRules.Rule($0.0, $0.1) }
    }

    private func client(_ clientID: ByteString?, _ userName: ByteString? = nil) -> ClientIdentity {
        ClientIdentity(clientID: clientID, userName: userName)
    }

    private func may(
        _ rules: AccessRules, _ who: ClientIdentity, _ topic: ByteString
    ) -> Rights {
        topic.withView {
            Rights(rules.mayPublish($0, who), rules.mayReceive($0, who), rules.maySubscribe($0, who))
        }
    }

    @Test("Without rules everybody may do everything; with rules, only what they grant")
    func defaults() {
        #expect(may(.allowAll, client("c"), "any/thing") == Rights(true, true, true))
        #expect(may(AccessRules(), client("c"), "any/thing") == Rights(false, false, false))
    }

    @Test("The first rules are for clients without a user name, the others for their user (mosquitto.conf, acl_file)")
    func users() {
        let access = AccessRules(
            anonymous: rules([(.read, "public/#")]), users: ["ann": rules([(.readwrite, "ann/#"), (.write, "in")])])
        #expect(may(access, client("c"), "public/a") == Rights(false, true, true))
        #expect(may(access, client("c"), "ann/a") == Rights(false, false, false))
        #expect(may(access, client("c", "ann"), "public/a") == Rights(false, false, false))
        #expect(may(access, client("c", "ann"), "ann/a") == Rights(true, true, true))
        #expect(may(access, client("c", "ann"), "in") == Rights(true, false, false))
        #expect(may(access, client("c", "bob"), "ann/a") == Rights(false, false, false))
    }

    @Test("A denial counts before what grants; the user's own rules count before the patterns")
    func denial() {
        let access = AccessRules(
            anonymous: rules([(.readwrite, "a/#"), (.deny, "a/secret/#")]),
            patterns: rules([(.readwrite, "a/secret/%c"), (.deny, "a/open")]))
        #expect(may(access, client("c"), "a/x") == Rights(true, true, true))
        #expect(may(access, client("c"), "a/secret/c") == Rights(false, false, false))
        #expect(may(access, client("c"), "a/secret") == Rights(false, false, false))
        #expect(may(access, client("c"), "a/open") == Rights(true, true, true))
    }

    @Test("In patterns %c and %u are names, wherever they stand in a level [M-132]")
    func patterns() {
        let access = AccessRules(patterns: rules([(.write, "up/%u/%c"), (.read, "down/%c/#"), (.read, "x%c")]))
        #expect(may(access, client("dev", "ann"), "up/ann/dev").write)
        #expect(!may(access, client("dev", "ann"), "up/bob/dev").write)
        #expect(!may(access, client("dev"), "up/ann/dev").write)
        #expect(may(access, client("dev"), "down/dev/a/b").read)
        #expect(may(access, client("dev"), "xdev").read)
        #expect(!may(access, client("dev"), "x%c").read)
        let inside = AccessRules(patterns: rules([(.read, "a/%u-%c.x/+")]))
        #expect(may(inside, client("dev", "ann"), "a/ann-dev.x/1") == Rights(false, true, true))
        #expect(!may(inside, client("dev", "ann"), "a/ann-dev.xx/1").read)
        #expect(!may(inside, client("dev", "ann"), "a/ann-de.x/1").read)
        #expect(!may(inside, client("dev"), "a/-dev.x/1").read)
        // A slash in the name would make two levels of one: it grants nothing.
        #expect(!may(inside, client("b/c", "ann"), "a/ann-b/c.x/1").read)
        #expect(!may(access, .anonymous, "down/dev").read)
    }

    @Test(
        "A client id or user name with wildcards, slashes or $ widens nothing [attack 84]",
        arguments: ["+", "#", "a/b", "+/x", "/", "dev+", "$SYS"] as [ByteString])
    func craftedNames(name: ByteString) {
        let access = AccessRules(
            anonymous: rules([(.readwrite, "own/#")]),
            users: [name: rules([(.readwrite, "own/#")])],
            patterns: rules([(.readwrite, "%c/#"), (.readwrite, "%u/#"), (.deny, "own/%c/secret")]))
        for who in [client(name), client("c", name)] {
            for topic in ["a/b", "b", "x", "dev", "$SYS/broker", "a/b/c", "/"] as [ByteString] {
                let allowed = may(access, who, topic)
                #expect(!allowed.read && !allowed.write, "\(name) on \(topic)")
            }
        }
        // What is denied to such a client by its name is denied as far as the name could reach.
        let denying = AccessRules(patterns: rules([(.deny, "own/%c/secret"), (.read, "own/#")]))
        let isOdd = name.bytes.contains { "+#/".utf8.contains($0) }
        #expect(may(denying, client(name), "own/other/secret").read == !isOdd)
    }

    @Test("Wildcards of rules do not reach topics that begin with $ [MQTT-4.7.2-1]")
    func serversOwn() {
        let access = AccessRules(anonymous: rules([(.read, "#"), (.read, "+/broker/uptime")]))
        #expect(may(access, client("c"), "$SYS/broker/uptime") == Rights(false, false, false))
        #expect(may(access, client("c"), "$SYS/#") == Rights(false, false, false))
        let open = AccessRules(anonymous: rules([(.read, "$SYS/#")]))
        #expect(may(open, client("c"), "$SYS/broker/uptime") == Rights(false, true, true))
        #expect(!may(open, client("c"), "#").subscribe)
    }

    @Test(
        "A filter is refused when nothing could come by it, not when something could not [M-24] [attack 64]",
        arguments: [
            ("a/#", true), ("#", true), ("+/b", true), ("a/b/c", true), ("+/+/+", true), ("a/secret/#", false),
            ("a/secret/+/x", false), ("b/#", false), ("+", true), ("/a", false), ("a/+/#", true), ("+/secret/x", true),
        ] as [(ByteString, Bool)])
    func filters(filter: ByteString, isAllowed: Bool) {
        let access = AccessRules(anonymous: rules([(.read, "a/#"), (.deny, "a/secret/#"), (.write, "b/#")]))
        #expect(may(access, client("c"), filter).subscribe == isAllowed)
    }

    @Test("What is no topic filter is no rule")
    func invalidRules() {
        #expect(AccessRules.Rule(.read, "a#") == nil)
        #expect(AccessRules.Rule(.read, "") == nil)
        #expect(AccessRules.Rule(.deny, "a/%c/+/#")?.filter == "a/%c/+/#")
    }

    @Test("Names match the filter of a rule as they match a subscription [MQTT-4.7.1-1] [MQTT-4.7.1-2]")
    func matching() {
        let levels = ["a", "b", "", "+", "#"]
        var filters: [String] = []
        for first in levels {
            filters.append(first)
            for second in levels { filters += ["\(first)/\(second)"] + levels.map { "\(first)/\(second)/\($0)" } }
        }
        let names = filters.filter { !$0.contains("+") && !$0.contains("#") }
        for filter in filters {
            guard let rule = AccessRules.Rule(.read, ByteString(filter)) else { continue }
            let access = AccessRules(anonymous: [rule])
            let matched = names.filter { name in may(access, client("c"), ByteString(name)).read }
            #expect(matched == names.filter { naiveMatch(filter, $0) }, "\(filter)")
            for other in filters where AccessRules.Rule(.read, ByteString(other)) != nil {
                // Two filters have a name in common exactly if one of the short names shows it.
                guard other.split(separator: "/").count <= 2, filter.split(separator: "/").count <= 2 else { continue }
                let common = matched.contains { naiveMatch(other, $0) }
                if common { #expect(may(access, client("c"), ByteString(other)).subscribe, "\(filter) and \(other)") }
            }
        }
    }

    private func naiveMatch(_ filter: String, _ name: String) -> Bool {
        func match(_ filter: ArraySlice<Substring>, _ name: ArraySlice<Substring>) -> Bool {
            guard let first = filter.first else { return name.isEmpty }
            if first == "#" { return true }
            guard let level = name.first else { return false }
            return (first == "+" || first == level) && match(filter.dropFirst(), name.dropFirst())
        }
        return match(
            filter.split(separator: "/", omittingEmptySubsequences: false)[...],
            name.split(separator: "/", omittingEmptySubsequences: false)[...])
    }
}
