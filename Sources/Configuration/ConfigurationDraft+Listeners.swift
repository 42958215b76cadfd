internal import Bytes
internal import Messaging
internal import SecureTransport

/// What the end of the file decides about listeners: addresses, who may come, and what does not fit together.
extension ConfigurationDraft {
    /// The listeners that open, with a complaint about each that cannot.
    mutating func finishListeners(mainFile: String) -> [ListenerConfiguration] {
        let used = listeners.filter { $0.isUsed }
        if used.isEmpty { return [listenerWithoutFile(mainFile: mainFile)] }
        checkSharedKeys(used)
        let finished = used.compactMap { finish($0) }
        reportCollisions(finished)
        if !used.contains(where: { $0.transport == .mqttsn }) { noteNoDevices(mainFile) }
        return finished
    }

    /// What opens where the file names no listener: MQTT for this machine, as mosquitto does.
    private mutating func listenerWithoutFile(mainFile: String) -> ListenerConfiguration {
        report(
            .note, at: FileLocation(file: mainFile, line: 0),
            "no listener: MQTT is open to this machine only, on port 1883 of 127.0.0.1 and ::1")
        noteNoDevices(mainFile)
        let security = sharedSecurity
        var settings = MQTTListenerSettings()
        settings.allowsEmptyClientID = security.allowsEmptyClientID ?? settings.allowsEmptyClientID
        settings.autoIDPrefix = security.autoIDPrefix ?? settings.autoIDPrefix
        settings.scramUsers = security.scramUsers
        settings.passwordUsers = security.passwordUsers
        let allowsAnonymous = security.allowsAnonymous ?? !security.namesUsers
        if !allowsAnonymous, !security.namesUsers { warnNobody(at: FileLocation(file: mainFile, line: 0)) }
        return ListenerConfiguration(
            allowsAnonymous: allowsAnonymous, accessRules: security.accessRules ?? .allowAll, kind: .mqtt(settings))
    }

    private mutating func noteNoDevices(_ mainFile: String) {
        report(
            .note, at: FileLocation(file: mainFile, line: 0),
            "no listener for devices: add `listener 1883 127.0.0.1` and below it `protocol mqttsn`")
    }

    private mutating func warnNobody(at location: FileLocation, areDevices: Bool = false) {
        let who = areDevices ? "no device_file says who devices are" : "there are no users; password_file names some"
        report(
            .warning, at: location,
            "every client is refused: allow_anonymous is false, and \(who)")
    }

    private mutating func finish(_ draft: ListenerDraft) -> ListenerConfiguration? {
        let location = draft.location ?? FileLocation(file: "", line: 0)
        let security = security(of: draft)
        let asked = draft.allowsAnonymous ?? security.allowsAnonymous
        reportForeignDirectives(draft)
        guard let addresses = addresses(of: draft, asked: asked, at: location) else { return nil }
        let isLocal = addresses.allSatisfy { $0.isLoopback }
        let secure = secureSettings(of: draft, security)
        let names = draft.transport == .mqttsn ? draft.devices.users != nil : security.namesUsers
        let hasUsers = names || secure?.demandsIdentity == true
        if !isLocal, asked != true, !security.namesAuthentication, !hasUsers {
            report(
                .error, at: location,
                "listener \(draft.port) can be reached from other machines, and nothing says who may come: write "
                    + "`allow_anonymous true` to let everybody in, "
                    + (secure?.clientCertificates == .required
                        ? "write `use_identity_as_username true` to know clients by their certificates, " : "")
                    + (draft.transport == .mqttsn ? "" : "name users with `password_file`, ")
                    + "or listen on 127.0.0.1")
        }
        if isLocal, asked == false, !hasUsers { warnNobody(at: location, areDevices: draft.transport == .mqttsn) }
        if draft.transport == .mqttsn { checkMulticastGroups(draft, addresses) }
        return ListenerConfiguration(
            port: draft.port, addresses: addresses, toleratesMissingFamily: addresses.count > 1,
            allowsAnonymous: asked ?? (isLocal && !hasUsers), accessRules: security.accessRules ?? .allowAll,
            kind: kind(of: draft, security), security: secure, origin: location)
    }

    private mutating func kind(of draft: ListenerDraft, _ security: SecurityDraft) -> ListenerConfiguration.Kind {
        switch draft.transport {
        case .mqtt, .websockets:
            var settings = draft.mqtt
            if draft.transport == .websockets { settings.webSocket = webSocketSettings(of: draft) }
            settings.allowsEmptyClientID = security.allowsEmptyClientID ?? settings.allowsEmptyClientID
            settings.scramUsers = security.scramUsers
            settings.passwordUsers = security.passwordUsers
            if !draft.hasOwnIDPrefix { settings.autoIDPrefix = security.autoIDPrefix ?? settings.autoIDPrefix }
            return .mqtt(settings)
        case .mqttsn:
            var settings = draft.devices
            checkPredefinedTopics(draft)
            // Of one id, the order of the file counts.
            settings.predefinedTopics = settings.predefinedTopics.enumerated()
                .sorted { ($0.element.id, $0.offset) < ($1.element.id, $1.offset) }.map { $0.element }
            return .mqttsn(settings)
        }
    }

    /// Directives of the one protocol in a section of the other.
    private mutating func reportForeignDirectives(_ draft: ListenerDraft) {
        if draft.transport != .websockets { reportWebSocketDirectives(draft) }
        switch draft.transport {
        case .mqtt, .websockets:
            for statement in draft.devicesOnly {
                report(
                    .error, at: statement.location,
                    "\(statement.name.quoted) belongs to a listener for devices: below `listener` write "
                        + "`protocol mqttsn`")
            }
        case .mqttsn:
            for statement in draft.mqttOnly {
                report(
                    .error, at: statement.location,
                    "\(statement.name.quoted) belongs to a listener with `protocol mqtt`; it means nothing for devices")
            }
        }
    }
}

extension ConfigurationDraft {
    /// What a section binds: the address it names, or this machine only, or, where everybody may come, every
    /// address of the machine. Nil, with a complaint, where that cannot be told.
    private mutating func addresses(
        of draft: ListenerDraft, asked: Bool?, at location: FileLocation
    ) -> [IPAddress]? {
        guard let text = draft.address else {
            let candidates = ofFamily(draft.family, asked == true ? IPAddress.any : IPAddress.loopback)
            noteChoice(candidates, asked: asked, port: draft.port, at: location)
            return candidates
        }
        if text == "localhost" { return ofFamily(draft.family, IPAddress.loopback) }
        guard let address = IPAddress(text) else {
            report(.error, at: location, Self.refusal(ofAddress: text, port: draft.port))
            return nil
        }
        if let family = draft.family, address.isV6 != (family == .v6) {
            report(.error, at: location, "socket_domain does not fit the address \(address)")
            return nil
        }
        return [address]
    }

    private static func refusal(ofAddress text: String, port: UInt16) -> String {
        if text.hasPrefix("/") || port == 0 && text.contains("/") {
            return "Unix sockets are not supported yet: write `listener 1883 127.0.0.1`"
        }
        return "\(text.quoted) is no numeric address: write it as 192.168.1.7 or fd00::7, without a host name"
    }

    private func ofFamily(_ family: ListenerDraft.Family?, _ pair: [IPAddress]) -> [IPAddress] {
        guard let family else { return pair }
        return pair.filter { $0.isV6 == (family == .v6) }
    }

    private mutating func noteChoice(
        _ addresses: [IPAddress], asked: Bool?, port: UInt16, at location: FileLocation
    ) {
        let list = addresses.map { $0.description }.joined(separator: " and ")
        if asked == true {
            report(
                .note, at: location,
                "listener \(port) names no address and lets everybody in: it is open on every address of this "
                    + "machine, \(list)")
        } else {
            report(
                .note, at: location,
                "listener \(port) names no address: it is open to this machine only, on \(list)")
        }
    }

    /// Two listeners that cannot both be bound. Port 0 is another port each time; TCP and UDP have ports of their
    /// own.
    private mutating func reportCollisions(_ finished: [ListenerConfiguration]) {
        for (index, later) in finished.enumerated() where later.port != 0 {
            guard let location = later.origin else { continue }
            let earlier = finished[..<index].first { earlier in
                earlier.port == later.port && earlier.isForDevices == later.isForDevices
                    && earlier.addresses.contains { one in later.addresses.contains { one.collides(with: $0) } }
            }
            guard let earlier, let place = earlier.origin else { continue }
            let transport = later.isForDevices ? "UDP" : "TCP"
            report(
                .error, at: location,
                "\(transport) port \(later.port) is taken already by the listener of \(place)")
        }
    }

    /// Ids that stand for two topics, topics with two ids, and names beyond the limits.
    private mutating func checkPredefinedTopics(_ draft: ListenerDraft) {
        let limits = configuration.limits
        var linesByID: [PredefinedTopic: FileLocation] = [:]
        var linesByName: [PredefinedTopic: FileLocation] = [:]
        for (topic, line) in zip(draft.devices.predefinedTopics, draft.predefinedTopicLines) {
            if let first = linesByID.updateValue(line, forKey: topic.withoutName) {
                report(.error, at: line, "the predefined id \(topic.id) is taken already, in line \(first.line)")
            }
            if let first = linesByName.updateValue(line, forKey: topic.withoutID) {
                report(.error, at: line, "the predefined topic has an id already, in line \(first.line)")
            }
            if topic.name.count > limits.topicBytesMax {
                report(.error, at: line, "the name is longer than max_topic_bytes, \(limits.topicBytesMax)")
            }
            if topic.name.levelCount > limits.topicLevelsMax {
                report(.error, at: line, "the name has more levels than max_topic_levels, \(limits.topicLevelsMax)")
            }
        }
        if draft.predefinedTopicLines.count > limits.predefinedTopicsMax {
            report(
                .error, at: draft.predefinedTopicLines[limits.predefinedTopicsMax],
                "more predefined topics than max_predefined_topics, \(limits.predefinedTopicsMax)")
        }
    }
}

extension ListenerConfiguration {
    /// Whether it speaks MQTT-SN over UDP.
    package var isForDevices: Bool {
        switch kind {
        case .mqtt: false
        case .mqttsn: true
        }
    }
}

extension PredefinedTopic {
    /// What may be there once: an id for the same clients.
    fileprivate var withoutName: PredefinedTopic { PredefinedTopic(id: id, name: ByteString(), clients: clients) }
    /// A name for the same clients.
    fileprivate var withoutID: PredefinedTopic { PredefinedTopic(id: 0, name: name, clients: clients) }
}

extension IPAddress {
    /// Whether two sockets cannot have the two addresses on one port: equal ones, or one that stands for all.
    fileprivate func collides(with other: IPAddress) -> Bool {
        isV6 == other.isV6 && (self == other || isAny || other.isAny)
    }
}

extension ByteString {
    /// One more than there are slashes.
    fileprivate var levelCount: Int { bytes.count { $0 == UInt8(ascii: "/") } + 1 }
}
