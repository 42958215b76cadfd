/// Every directive that `gateway.conf` may have: ours, mosquitto's, and those of mosquitto that have no effect here.
enum DirectiveTable {
    /// All rows, ascending by name.
    static let rows: [Directive] = [
        listenerRows, secureRows, webSocketRows, deviceRows, discoveryRows, answerRows, sessionRows, limitRows,
        processRows, laterSecurityRows, laterRows, bridgeRows,
    ].flatMap { $0 }.sorted { $0.name < $1.name }

    /// All names, ascending.
    static let names: [String] = rows.map { $0.name }

    private static let rowsByName = Dictionary(rows.map { ($0.name, $0) }) { first, _ in first }

    /// Families of names that belong to a plugin, which chooses how they go on.
    private static let families = ["auth_opt_", "plugin_opt_"]

    /// The row for a name as it is written; names are case-sensitive, as in mosquitto.
    static func row(named name: String) -> Directive? {
        if let row = rowsByName[name] { return row }
        return families.first { name.hasPrefix($0) }.flatMap { rowsByName[$0 + "*"] }
    }
}
