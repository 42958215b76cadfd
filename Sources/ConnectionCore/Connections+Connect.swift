internal import Authentication
internal import Bytes
internal import Clockwork
internal import MQTTWire
internal import Messaging

extension Connections {
    /// CONNECT: what only the connection can know is checked here, then the broker is asked for the session (§3.1.4).
    mutating func connectReceived(
        _ packet: ConnectPacket, _ slot: Int, now: Now, into effects: inout [ConnectionEffect]
    ) -> LinkRequest? {
        connections[slot].version = packet.version
        connections[slot].clientID = ClientID(packet.clientID)
        connections[slot].packetBytesMax = packet.properties.uint32(.maximumPacketSize).map(Int.init) ?? .max
        noteWishes(of: packet, slot)
        if let code = redirection(of: slot) ?? refusal(of: packet, admission(of: slot)) {
            refuse(slot, code, into: &effects)
            return nil
        }
        tellTransportIdentity(of: slot, into: &effects)
        let properties = packet.properties
        let expiry = sessionExpiry(of: packet)
        let receiveMaximum = properties.uint16(.receiveMaximum) ?? .max
        connections[slot].sessionEndsHere = expiry == 0
        let offer = Connection.Offer(
            requestedExpiry: expiry, requestedKeepAlive: packet.keepAlive, cleanStart: packet.cleanStart)
        let session = SessionOffer(
            clientID: connections[slot].clientID, cleanStart: packet.cleanStart, sessionExpiryInterval: expiry,
            pace: .window(receiveMaximum), will: packet.will.map { will(from: $0) },
            receiveMaximum: packet.version == .v5 ? limits.receiveMaximum : limits.openMessagesMax,
            userName: connections[slot].transportIdentity, listener: connections[slot].listener,
            assignedClientIDPrefix: rules(of: slot).assignedClientIDPrefix)
        if let method = properties.view(.authenticationMethod).flatMap({ AuthenticationMethod(name: $0) }) {
            let pending = Connection.PendingConnect(
                session: session, offer: offer, userName: packet.userName.map { ByteString($0) })
            return beginAuthentication(method, of: pending, packet, slot, now: now, into: &effects)
        }
        if connections[slot].transportIdentity == nil, let users = rules(of: slot).passwordUsers,
            let userName = packet.userName
        {
            return verify(userName, packet.password ?? .empty, users, session, offer, slot, into: &effects)
        }
        return attach(slot, session, offer)
    }

    /// The client may come: the broker is asked for its session.
    mutating func attach(_ slot: Int, _ session: SessionOffer, _ offer: Connection.Offer) -> LinkRequest {
        connections[slot].state = .attaching(offer)
        return .attach(session)
    }

    /// Why CONNECT is not for us; nil if it is.
    private func refusal(of packet: ConnectPacket, _ rules: ConnectionLimits.Listener) -> ReasonCode? {
        if let method = packet.properties.view(.authenticationMethod) {
            guard rules.scramUsers != nil, AuthenticationMethod(name: method) != nil else {
                return .badAuthenticationMethod  // [MQTT-4.12.0-1]
            }
        } else if rules.passwordUsers == nil || packet.userName == nil {
            // A password without a user is nobody's.
            guard rules.allowsAnonymous else {
                return packet.userName == nil ? .notAuthorized : .badUserNameOrPassword
            }
        }
        if packet.clientID.count > limits.clientIDBytesMax { return .clientIdentifierNotValid }
        if packet.clientID.isEmpty {
            // 3.1 wants an id, 3.1.1 one with a session that stays [MQTT311-3.1.3-8]; 5.0 lets the server choose.
            if !rules.allowsEmptyClientID || packet.version == .v3_1 { return .clientIdentifierNotValid }
            if packet.version == .v3_1_1, !packet.cleanStart { return .clientIdentifierNotValid }
        }
        if packet.version != .v5, isTooLong(packet.keepAlive) {
            // Before 5.0 the server cannot say what it would accept; mosquitto refuses so too [M-04].
            return .clientIdentifierNotValid
        }
        guard let will = packet.will else { return nil }
        if will.topic.hasWildcard || will.topic.isEmpty { return .topicNameInvalid }
        if will.topic.beginsWithDollar { return .notAuthorized }
        if will.topic.count > limits.topicBytesMax { return .topicNameInvalid }
        if will.qos > rules.qosMax { return .qosNotSupported }
        if will.retain, !limits.retainAvailable { return .retainNotSupported }
        if will.payload.count > limits.payloadBytesMax { return .packetTooLarge }
        return isPayloadFormatValid(will.properties.byte(.payloadFormatIndicator), will.payload)
            ? nil : .payloadFormatInvalid  // §3.1.3.2.3
    }

    /// Whether a keep-alive is above the operator's maximum; none at all is above every maximum but the highest.
    private func isTooLong(_ keepAlive: UInt16) -> Bool {
        let keepAliveMax = limits.keepAliveMax
        return keepAliveMax < .max && (keepAlive == 0 || keepAlive > keepAliveMax)
    }

    /// Before 5.0, CleanSession 0 means a session without end, up to the operator's limit (3.1.1 §3.1.2.4).
    private func sessionExpiry(of packet: ConnectPacket) -> UInt32 {
        if packet.version == .v5 { return packet.properties.uint32(.sessionExpiryInterval) ?? 0 }
        return packet.cleanStart ? 0 : limits.persistentSessionExpiry
    }

    private mutating func will(from fields: WillFields) -> Will {
        scratch.truncate(to: 0)
        for (id, value) in fields.properties where id != .willDelayInterval && id != .messageExpiryInterval {
            scratch.append(property: id, value: value)
        }
        return Will(
            topic: ByteString(fields.topic), properties: ByteString(scratch.pending),
            payload: ByteString(fields.payload), qos: fields.qos, retain: fields.retain,
            delayInterval: fields.properties.uint32(.willDelayInterval) ?? 0,
            messageExpiryInterval: fields.properties.uint32(.messageExpiryInterval))
    }

    /// The broker has the session: CONNACK, and the keep-alive begins.
    mutating func attached(
        _ slot: Int, _ attached: Attached, _ offer: Connection.Offer, now: Now,
        into effects: inout [ConnectionEffect]
    ) {
        if let assigned = attached.assignedClientID { connections[slot].clientID = assigned }
        connections[slot].state = .connected
        if !connections[slot].held.isEmpty { resumed.append(slot) }
        var keepAlive = offer.requestedKeepAlive
        if isTooLong(keepAlive) { keepAlive = limits.keepAliveMax }
        startKeepAlive(slot, keepAlive, now: now)
        scratch.truncate(to: 0)
        if connections[slot].version == .v5 { appendConnackProperties(slot, attached, offer, keepAlive) }
        let connack = ConnackPacket(
            sessionPresent: attached.sessionPresent, reasonCode: .success,
            properties: PropertyList(raw: scratch.pending))
        send(.connack(connack), to: slot)
        guard !connections[slot].isUnanswerable else {
            // Without CONNACK there is no other word for it either [MQTT-3.14.0-1] [M-02].
            counters.violations += 1
            return close(slot, .violated(.packetTooLarge), into: &effects)
        }
        effects.append(
            .log(
                slot: slot,
                .connected(
                    connections[slot].clientID, connections[slot].version, cleanStart: offer.cleanStart,
                    keepAlive: keepAlive)))
    }

    /// One and a half times the keep-alive may pass in silence [MQTT-3.1.2-22].
    private mutating func startKeepAlive(_ slot: Int, _ keepAlive: UInt16, now: Now) {
        connections[slot].lastHeard = now.instant
        guard keepAlive > 0 else { return timers.cancel(slot) }
        connections[slot].silenceMax = .milliseconds(Int64(keepAlive) * 1_500)
        timers.schedule(slot, at: now.instant + connections[slot].silenceMax)
    }

    /// What the server tells an MQTT 5 client about itself (§3.2.2.3); what is left out has the standard's default.
    private mutating func appendConnackProperties(
        _ slot: Int, _ attached: Attached, _ offer: Connection.Offer, _ keepAlive: UInt16
    ) {
        if attached.sessionExpiryInterval != offer.requestedExpiry {
            scratch.append(property: .sessionExpiryInterval, uint32: attached.sessionExpiryInterval)
        }
        let rules = rules(of: slot)
        scratch.append(property: .receiveMaximum, uint16: limits.receiveMaximum)
        if rules.qosMax < .exactlyOnce { scratch.append(property: .maximumQoS, byte: rules.qosMax.rawValue) }
        if !limits.retainAvailable { scratch.append(property: .retainAvailable, byte: 0) }
        scratch.append(property: .maximumPacketSize, uint32: UInt32(limits.packetBytesMax))
        if let assigned = attached.assignedClientID {
            assigned.withView { scratch.append(property: .assignedClientIdentifier, view: $0) }
        }
        if rules.topicAliasMax > 0 { scratch.append(property: .topicAliasMaximum, uint16: rules.topicAliasMax) }
        if !limits.sharedSubscriptionsAvailable { scratch.append(property: .sharedSubscriptionAvailable, byte: 0) }
        if let identity = connections[slot].identity {
            appendAuthentication(identity.method, offer.authenticationData)  // [MQTT-4.12.0-5]
        }
        if keepAlive != offer.requestedKeepAlive { scratch.append(property: .serverKeepAlive, uint16: keepAlive) }
        // Nobody is refused for what may be left out: up to 11 bytes of CONNACK are none of its properties.
        if let information = responseInformation(of: slot),
            scratch.count + information.count + 3 + 11 <= connections[slot].packetBytesMax
        {
            scratch.append(property: .responseInformation, string: information)
        }
    }

    /// CONNACK with a reason, then the end [MQTT-3.1.4-2] [MQTT-3.2.2-7].
    mutating func refuse(_ slot: Int, _ code: ReasonCode, into effects: inout [ConnectionEffect]) {
        counters.connectRefused += 1
        sendRefusal(slot, code, ReasonText(code, in: .connack, limits))
        effects.append(.log(slot: slot, .refused(connections[slot].clientID, code)))
        stop(slot)
    }
}
