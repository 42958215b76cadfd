import Bytes
import Configuration
import Testing

@Suite struct ConfigurationParserTests {
    /// The limits as DESIGN §7 has them.
    @Test("An empty file gives the defaults of the design")
    func defaults() throws {
        let outcome = MemorySource("").outcome
        let configuration = try #require(outcome.configuration)
        #expect(outcome.count(of: .error) == 0 && outcome.count(of: .warning) == 0)
        let limits = configuration.limits
        #expect(limits.packetBytesMax == 256 * 1024)
        #expect(limits.packetBeforeConnectBytesMax == 16 * 1024)
        #expect(limits.connectTimeout == .seconds(5))
        #expect(limits.topicBytesMax == 1024 && limits.topicLevelsMax == 64)
        #expect(limits.clientIDBytesMax == 256 && limits.deviceIDBytesMax == 64)
        #expect(limits.subscriptionsPerClientMax == 4096 && limits.subscriptionsMax == 200_000)
        #expect(limits.inflightMessagesMax == 20)
        #expect(limits.clientsMax == 10_000 && limits.devicesMax == 100_000)
        #expect(limits.queuedMessagesMax == 1000 && limits.queuedBytesMax == 1024 * 1024)
        #expect(limits.queuedTotalBytesMax == 64 * 1024 * 1024)
        #expect(limits.retainedMessagesMax == 100_000 && limits.retainedBytesMax == 64 * 1024 * 1024)
        #expect(limits.writeBufferBytesMax == 256 * 1024 && limits.unfinishedBytesMax == 64 * 1024 * 1024)
        #expect(limits.filtersPerPacketMax == 1000)
        #expect(limits.topicIDsPerDeviceMax == 1024 && limits.predefinedTopicsMax == 2000)
        #expect(limits.strangerRepliesPerSecondMax == 10)
        #expect(MQTTListenerSettings().topicAliasMax == 16)
        #expect(SNListenerSettings().sleepQueueMessagesMax == 64 && SNListenerSettings().sleepQueueBytesMax == 16_384)
        #expect(configuration.durability == .none)
        #expect(configuration.listeners == [ListenerConfiguration(kind: .mqtt(MQTTListenerSettings()))])
    }

    @Test("A kind of log line that there are none of yet is said to be none")
    func emptyLogTypes() {
        let outcome = MemorySource("listener 1883 127.0.0.1\nlog_type debug\n").outcome
        #expect(outcome.count(of: .warning) == 1 && outcome.count(of: .error) == 0)
        #expect(MemorySource("listener 1883 127.0.0.1\nlog_type websockets\n").outcome.count(of: .warning) == 0)
        #expect(MemorySource("listener 1883 127.0.0.1\nlog_type all\n").outcome.count(of: .warning) == 0)
    }

    @Test("Every value arrives where it belongs")
    func values() throws {
        let text = """
            max_keepalive 90
            retain_available false
            shared_subscriptions false
            persistent_client_expiration 2w
            queue_qos0_messages true
            set_tcp_nodelay true
            sys_interval 0
            message_size_limit 1000
            connect_timeout 7
            log_dest stdout
            log_type error
            log_type subscribe
            log_timestamp false
            connection_messages false
            pid_file /run/dormouse/dormouse.pid
            user root
            auto_id_prefix made-
            allow_zero_length_clientid false
            listener 1884 127.0.0.1
            max_connections 5
            max_qos 1
            max_topic_alias 0
            listener 1885 127.0.0.1
            listener_auto_id_prefix own-
            """
        let outcome = MemorySource(text).outcome
        let configuration = try #require(outcome.configuration, "\(outcome.diagnostics)")
        #expect(configuration.broker.keepAliveSecondsMax == 90)
        #expect(!configuration.broker.isRetainAvailable)
        #expect(!configuration.broker.sharesSubscriptions)
        #expect(configuration.broker.sessionExpiryMax == .seconds(14 * 86_400))
        #expect(configuration.broker.queuesQoS0)
        #expect(configuration.broker.sysInterval == nil)
        #expect(configuration.limits.payloadBytesMax == 1000)
        #expect(configuration.limits.connectTimeout == .seconds(7))
        #expect(configuration.logging.destinations == [.stdout])
        #expect(configuration.logging.types == [.error, .subscribe])
        #expect(!configuration.logging.hasTimestamps && !configuration.logging.hasConnectionMessages)
        #expect(configuration.pidFile == "/run/dormouse/dormouse.pid")
        #expect(configuration.user == "root")
        guard case .mqtt(let first) = configuration.listeners[0].kind,
            case .mqtt(let second) = configuration.listeners[1].kind
        else {
            Issue.record("the listeners do not speak MQTT")
            return
        }
        #expect(first.connectionsMax == 5 && first.qosMax == 1 && first.topicAliasMax == 0)
        #expect(!first.allowsEmptyClientID && first.autoIDPrefix == "made-")
        #expect(second.autoIDPrefix == "own-" && second.connectionsMax == nil)
        #expect(configuration.listeners[1].origin == FileLocation(file: "test.conf", line: 23))
    }

    @Test("Each unit of persistent_client_expiration has mosquitto's length")
    func expiryUnits() {
        for (text, days) in [("24h", 1), ("3d", 3), ("2w", 14), ("2m", 60), ("1y", 365)] {
            let outcome = MemorySource("persistent_client_expiration \(text)").outcome
            #expect(outcome.configuration?.broker.sessionExpiryMax == .seconds(days * 86_400))
        }
    }

    @Test("Predefined topics are ascending by id and keep their bytes [SN-6.7]")
    func predefinedTopics() throws {
        let text = "listener 1 127.0.0.1\nprotocol mqttsn\npredefined_topic 9 cafe\u{301} x\npredefined_topic 2 b\n"
        let configuration = try #require(MemorySource(text).outcome.configuration)
        guard case .mqttsn(let settings) = configuration.listeners[0].kind else { return }
        #expect(settings.predefinedTopics.map { $0.id } == [2, 9])
        #expect(settings.predefinedTopics[1].name == ByteString("cafe\u{301} x"))
        #expect(settings.predefinedTopics[1].name != ByteString("caf\u{e9} x"))
    }

    @Test("Included files are read in mosquitto's order")
    func includeOrder() {
        var source = MemorySource("include_dir d")
        for name in ["b.conf", "A.conf", "01.conf", "a.conf", "B.conf", "00.conf", ".conf", "x.cnf"] {
            source.files["d/" + name] = Array("oops".utf8)
        }
        let files = source.outcome.diagnostics.filter { $0.severity == .error }.map { $0.location.file }
        #expect(files == ["d/00.conf", "d/01.conf", "d/A.conf", "d/a.conf", "d/B.conf", "d/b.conf"])
    }

    @Test("A file that is missing is one error and nothing else")
    func missingFile() {
        let outcome = ConfigurationParser.parse("nowhere.conf", from: MemorySource(""))
        #expect(outcome.configuration == nil)
        #expect(
            outcome.diagnostics.map { $0.description }
                == ["nowhere.conf: error: cannot read \"nowhere.conf\": no such file"])
    }

    @Test("A file with a fault in each line ends with one last word")
    func manyFaults() {
        let outcome = MemorySource(String(repeating: "x\n", count: 5000)).outcome
        #expect(outcome.configuration == nil)
        #expect(outcome.diagnostics.count == 1001)
        #expect(outcome.diagnostics.contains { $0.message.contains("the rest is left out") })
    }

    @Test("Whatever bytes a file has, the parser answers, and twice the same")
    func randomBytes() {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15
        let words = [
            "listener", "1883", "127.0.0.1", "protocol", "mqttsn", "predefined_topic", "%c", "#", "\n", " ", "\t",
            "max_qos", "-1", "99999999999999999999", "true", "\u{0}", "é", "include_dir", "connection", "topic", "::",
            "allow_anonymous", "per_listener_settings", "log_dest", "log_type", "persistent_client_expiration", "y",
        ].map { Array($0.utf8) }
        for _ in 0..<150 {
            var bytes: [UInt8] = []
            for _ in 0..<40 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let draw = Int(state >> 40)
                bytes += draw % 11 == 0 ? [UInt8(truncatingIfNeeded: draw >> 8)] : words[draw % words.count]
                if draw % 3 == 0 { bytes.append(0x20) }
                if draw % 5 == 0 { bytes.append(0x0A) }
            }
            let source = MemorySource(bytes: bytes)
            let outcome = source.outcome
            #expect(outcome == source.outcome)
            #expect((outcome.configuration == nil) == (outcome.count(of: .error) > 0))
        }
    }
}
