import Testing

/// The direction of imports (DESIGN §2).
@Suite struct ImportTests {
    /// What each module may import of ours and of others. Below the line are the adapters, which own all I/O.
    static let allowed: [String: Set<String>] = {
        let bottom: Set<String> = ["Bytes", "Clockwork", "Messaging"]
        let wires: Set<String> = ["MQTTWire", "MQTTSNWire"]
        let cores: Set<String> = ["BrokerCore", "ConnectionCore", "GatewayCore"]
        let collections: Set<String> = ["DequeModule", "OrderedCollections"]
        return [
            "Clockwork": [],
            "Bytes": [],
            "Messaging": ["Bytes"],
            "Journal": ["Bytes", "Messaging"],
            "MQTTWire": ["Bytes", "Messaging"],
            "MQTTSNWire": ["Bytes", "Messaging"],
            "Authentication": ["Bytes", "COpenSSL"],
            "BrokerCore": bottom.union(["Journal"]).union(collections),
            "ConnectionCore": bottom.union(["MQTTWire", "Authentication"]).union(collections),
            "GatewayCore": bottom.union(["MQTTSNWire", "Journal"]).union(collections),
            // A device on the desk: the other end of MQTT-SN.
            "DeviceCore": bottom.union(["MQTTSNWire"]),
            "Engine": bottom.union(wires).union(cores).union(collections).union(["Journal", "Authentication"]),

            "Reactor": bottom.union(["CLinux", "Glibc", "Musl", "Synchronization"]),
            "WebSocket": ["Bytes", "COpenSSL"],
            "SecureTransport": bottom.union(["COpenSSL"]),
            "Store": ["Bytes", "Journal", "Messaging", "CLinux", "CSQLite", "Glibc", "Synchronization"],
            "Configuration": ["Authentication", "Bytes", "Messaging", "SecureTransport", "Glibc", "Musl"],
            "Transport": bottom.union(collections).union([
                "ConnectionCore", "GatewayCore", "Engine", "Reactor", "WebSocket", "SecureTransport", "Journal",
                "Store", "Authentication", "CLinux", "Glibc", "Synchronization",
            ]),
            "dormouse": bottom.union(wires).union(cores).union([
                "DeviceCore", "Engine", "Reactor", "Transport", "Configuration", "Glibc", "Musl", "ArgumentParser",
                "Logging", "WebSocket", "Authentication", "SecureTransport", "Store", "CLinux",
            ]),
        ]
    }()

    /// The module that an import line names.
    private func imported(_ line: String) -> String? {
        let words = line.split(separator: " ")
        guard let index = words.firstIndex(of: "import"), index <= 2, index + 1 < words.count else { return nil }
        guard words[..<index].allSatisfy({ ["package", "internal", "public", "private", "@testable"].contains($0) })
        else { return nil }
        return String(words[index + 1].prefix { $0 != "." })
    }

    @Test("Imports point one way: cores know no sockets, no clocks, and not each other")
    func direction() {
        var faults: [String] = []
        for file in SourceTree.sources {
            guard let module = file.module else { continue }
            guard let allowed = Self.allowed[module] else {
                faults.append("\(file.path): \(module) is not in the table")
                continue
            }
            for (index, line) in file.code.enumerated() {
                guard let name = imported(line), !allowed.contains(name) else { continue }
                faults.append(place(file, index, "\(module) must not import \(name)"))
            }
        }
        #expect(faults == [])
    }

    @Test("The table itself points one way")
    func tableHasNoCycle() {
        var known: Set<String> = []
        var waiting = Self.allowed.keys.sorted()
        while !waiting.isEmpty {
            let next = waiting.filter { name in
                (Self.allowed[name] ?? []).allSatisfy { known.contains($0) || Self.allowed[$0] == nil }
            }
            guard !next.isEmpty else { break }
            known.formUnion(next)
            waiting.removeAll { known.contains($0) }
        }
        #expect(waiting == [])
    }
}
