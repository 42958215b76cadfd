extension DirectiveTable {
    /// The process, its logs and what it promises.
    static let processRows: [Directive] = [
        .own("include_dir", "DIRECTORY") { $0.pendingIncludes.append($1) },
        .own("log_dest", "stderr, stdout or none") { $0.addLogDestination($1) },
        .own("log_type", LogTypes.names.map { $0.name }.joined(separator: ", ") + " or none") { $0.addLogType($1) },
        .flag("log_timestamp") { $0.configuration.logging.hasTimestamps = $1 },
        .flag("connection_messages") { $0.configuration.logging.hasConnectionMessages = $1 },
        .text("pid_file", "a file") { $0.configuration.pidFile = $1.text },
        .text("user", "a user name") { $0.setUser($1) },
        .flag("persistence") { $0.persistence.isOn = $1 },
        .text("persistence_location", "a directory") { $0.persistence.settings.directory = $1.text },
        .flag("retained_persistence") { $0.persistence.settings.keepsRetained = $1 },
        .own("durability", "disk, process or none") { $0.setDurability($1) },
    ]
}
