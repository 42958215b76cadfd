// swift-tools-version: 6.2
import PackageDescription

/// What every Swift target of ours is built with. Release builds see across modules and leave out the
/// exclusivity checks that the tests run with (docs/adr/0002-build-settings.md).
let house: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
    .unsafeFlags(
        ["-enforce-exclusivity=unchecked", "-cross-module-optimization"], .when(configuration: .release)),
]

func module(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: house)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: name + "Tests", dependencies: dependencies + ["Support"], path: "Tests/" + name,
        swiftSettings: house)
}

let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let heap = Target.Dependency.product(name: "HeapModule", package: "swift-collections")
let ordered = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")
let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

/// What a world needs that holds the whole engine.
let world: [Target.Dependency] = [
    "Bytes", "Clockwork", "Messaging", "MQTTWire", "MQTTSNWire", "BrokerCore", "ConnectionCore", "GatewayCore",
    "Engine",
]

let package = Package(
    name: "dormouse",
    products: [.executable(name: "dormouse", targets: ["dormouse"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    ],
    targets: [
        // The bottom: values that know nothing of sockets, clocks or files.
        module("Clockwork"),
        module("Bytes"),
        module("Messaging", ["Bytes"]),
        module("MQTTWire", ["Bytes", "Messaging"]),
        module("MQTTSNWire", ["Bytes", "Messaging"]),

        // What must survive a crash, told as bytes.
        module("Journal", ["Bytes", "Messaging"]),

        // OpenSSL, and how clients show who they are.
        .target(name: "COpenSSL", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        module("Authentication", ["Bytes", "COpenSSL"]),

        // The cores: siblings that never import each other, and the engine that joins them.
        module("BrokerCore", ["Bytes", "Clockwork", "Journal", "Messaging", deque, ordered]),
        module("ConnectionCore", ["Authentication", "Bytes", "Clockwork", "Messaging", "MQTTWire"]),
        module("GatewayCore", ["Bytes", "Clockwork", "Messaging", "MQTTSNWire", "Journal", deque]),
        module(
            "Engine",
            [
                "Authentication", "Bytes", "Clockwork", "Messaging", "MQTTWire", "MQTTSNWire", "Journal", "BrokerCore",
                "ConnectionCore", "GatewayCore", deque,
            ]),

        // The other end of MQTT-SN, for `dormouse sn` and the simulation.
        module("DeviceCore", ["Bytes", "Clockwork", "Messaging", "MQTTSNWire"]),

        // The adapters: all I/O and all clocks.
        .target(name: "CLinux"),
        module("WebSocket", ["Bytes", "COpenSSL"]),
        module("SecureTransport", ["Bytes", "Clockwork", "Messaging", "COpenSSL"]),
        module("Reactor", ["Bytes", "Clockwork", "Messaging", "CLinux"]),
        // Transport imports no BrokerCore, but the engine that it holds has a broker inside: when the broker's layout
        // changes, an incremental build must compile Transport anew.
        module(
            "Transport",
            [
                "Authentication", "Bytes", "Clockwork", "Messaging", "BrokerCore", "ConnectionCore", "GatewayCore",
                "Reactor", "Engine", "WebSocket", "SecureTransport", "Journal", "Store", deque,
            ]),
        .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
        module("Store", ["Bytes", "Journal", "Messaging", "CLinux", "CSQLite"]),
        module("Configuration", ["Authentication", "Bytes", "Messaging", "SecureTransport"]),
        .executableTarget(
            name: "dormouse",
            dependencies: [
                "Bytes", "Clockwork", "Messaging", "MQTTWire", "MQTTSNWire", "BrokerCore", "ConnectionCore",
                "GatewayCore", "DeviceCore", "Engine", "Reactor", "Transport", "Configuration", "WebSocket",
                "Authentication", "SecureTransport", "Store", "CLinux",
                arguments, logging,
            ],
            swiftSettings: house),

        // What very many subscriptions and retained messages cost (`make bench-topics`).
        .executableTarget(
            name: "bench-topics", dependencies: ["Bytes", "Clockwork", "Messaging", "BrokerCore", "Measuring"],
            path: "Benchmarks/Topics", swiftSettings: house),
        // What very many devices cost (`make bench-devices`).
        .executableTarget(
            name: "bench-devices",
            dependencies: [
                "Bytes", "Clockwork", "Messaging", "MQTTSNWire", "GatewayCore", "BrokerCore", "Engine", "Measuring",
            ],
            path: "Benchmarks/Devices", swiftSettings: house),
        // What a restart with much that waits costs, and a commit (`make bench-restart`).
        .executableTarget(
            name: "bench-restart",
            dependencies: ["Bytes", "Clockwork", "Messaging", "Journal", "Store", "BrokerCore", "Measuring"],
            path: "Benchmarks/Restart", swiftSettings: house),
        // The engine alone, for counting instructions (`make bench-check`).
        .executableTarget(
            name: "bench-core",
            dependencies: ["Bytes", "Clockwork", "Messaging", "MQTTSNWire", "GatewayCore", "Engine"],
            path: "Benchmarks/Core", swiftSettings: house),
        .target(name: "Measuring", path: "Benchmarks/Measuring", swiftSettings: house),

        // Tests: a target for each module, and the worlds that join them.
        .target(
            name: "Support", dependencies: ["Bytes"], path: "Tests/Support", swiftSettings: house),
        // System calls that fail on purpose.
        .target(name: "CFaults", path: "Tests/CFaults"),
        tests("Clockwork", ["Clockwork"]),
        tests("Bytes", ["Bytes"]),
        tests("Messaging", ["Messaging", "Bytes"]),
        tests("Journal", ["Journal", "Bytes", "Clockwork", "Messaging"]),
        tests("MQTTWire", ["MQTTWire", "Bytes", "Clockwork", "Messaging"]),
        tests("MQTTSNWire", ["MQTTSNWire", "Bytes", "Clockwork", "Messaging"]),
        .target(
            name: "ScramClient", dependencies: ["Authentication", "Bytes"], path: "Tests/Authentication/Client",
            swiftSettings: house),
        .testTarget(
            name: "AuthenticationTests", dependencies: ["Authentication", "ScramClient", "Bytes", "Clockwork"],
            path: "Tests/Authentication", exclude: ["Client"], swiftSettings: house),
        tests("BrokerCore", ["BrokerCore", "Bytes", "Clockwork", "Journal", "Messaging", "Store"]),
        tests(
            "ConnectionCore",
            [
                "ConnectionCore", "Authentication", "ScramClient", "Bytes", "Clockwork", "Messaging", "MQTTWire",
            ]),
        tests("GatewayCore", ["GatewayCore", "Bytes", "Clockwork", "Messaging", "MQTTSNWire"]),
        tests("DeviceCore", ["DeviceCore", "Bytes", "Clockwork", "Messaging", "MQTTSNWire"]),
        tests("Store", ["Store", "Journal", "Bytes", "Clockwork", "Messaging", "CFaults"]),
        tests("Configuration", ["Configuration", "Authentication", "Bytes", "Messaging", "SecureTransport"]),
        tests(
            "Transport",
            [
                "Transport", "Bytes", "Clockwork", "Messaging", "MQTTWire", "BrokerCore", "ConnectionCore", "Engine",
                "Reactor", "WebSocket", "SecureTransport",
            ]),
        tests("WebSocket", ["WebSocket", "Bytes", "Clockwork"]),
        // The other end of TLS.
        .target(name: "CSecureClient", path: "Tests/CSecureClient", linkerSettings: [.linkedLibrary("ssl")]),
        tests("SecureTransport", ["SecureTransport", "CSecureClient", "Bytes", "Clockwork"]),
        // What the Autobahn test suite talks to (docs/adr/0004-websocket-layer.md).
        .executableTarget(
            name: "websocket-echo", dependencies: ["WebSocket", "Bytes", "Clockwork", "Messaging", "Reactor"],
            path: "Tests/WebSocketEcho", swiftSettings: house),
        // libFuzzer's targets (`make fuzz`); built as usual it plays files.
        .executableTarget(
            name: "fuzz", dependencies: world + ["Support", "WebSocket", "SecureTransport", "CSecureClient"],
            path: "Tests/Fuzz", exclude: ["run"],
            swiftSettings: house),
        // Our own tree, held against our own rules.
        tests("Tidy", []),
        tests("Reactor", ["Reactor", "Bytes", "Clockwork", "Messaging", "CFaults"]),

        // The whole engine in a made-up world; `simulate` plays seeds by hand (`make sim`).
        .target(
            name: "SimulationKit", dependencies: world + ["DeviceCore", "Journal", "Store", heap],
            path: "Tests/Simulation/Kit",
            swiftSettings: house),
        // MQTT clients of all versions and a naive model of a broker.
        .target(
            name: "SwarmKit",
            dependencies: ["Bytes", "Clockwork", "Messaging", "BrokerCore", "ConnectionCore", "Engine"],
            path: "Tests/Simulation/Swarm", swiftSettings: house),
        .executableTarget(
            name: "simulate", dependencies: ["SimulationKit", "SwarmKit"], path: "Tests/Simulation/Simulate",
            swiftSettings: house),
        .testTarget(
            name: "SimulationTests", dependencies: ["SimulationKit", "SwarmKit", "simulate"], path: "Tests/Simulation",
            exclude: ["Kit", "Swarm", "Simulate", "seeds.txt", "swarm-seeds.txt", "field.txt"], swiftSettings: house),
        // Fixtures/flows, played in memory.
        tests(
            "Flows",
            world + ["Configuration", "SimulationKit", "dormouse"]),
        .testTarget(
            name: "EngineTests", dependencies: world + ["SimulationKit", "DeviceCore"], path: "Tests/Engine",
            swiftSettings: house),
    ]
)
