internal import Bytes
package import Clockwork
internal import MQTTWire
package import Messaging

extension Connections {
    /// Writes what the broker answers. A delivery goes through `deliver`.
    package mutating func answer(
        _ slot: Int, _ answer: LinkAnswer, now: Now, into effects: inout [ConnectionEffect]
    ) {
        switch connections[slot].state {
        case .attaching(let offer):
            switch answer {
            case .attached(let attachment): attached(slot, attachment, offer, now: now, into: &effects)
            case .refused(let refusal): refuse(slot, ReasonCode(refusal), into: &effects)
            case .close(let reason): closed(slot, reason, into: &effects)
            case .acknowledge, .deliver, .subscribed, .unsubscribed, .resolved, .drained: break
            }
        case .connected:
            switch answer {
            case .acknowledge(let acknowledgement): acknowledge(acknowledgement, slot, into: &effects)
            case .subscribed(let identifier, let outcomes): subscribed(identifier, outcomes, slot)
            case .unsubscribed(let identifier, let outcomes): unsubscribed(identifier, outcomes, slot)
            case .close(let reason): closed(slot, reason, into: &effects)
            case .attached, .refused, .deliver, .resolved, .drained: break
            }
        case .free, .opened, .authenticating, .verifying, .closing: return
        }
        endIfUnanswerable(slot, into: &effects)
    }

    /// Writes a PUBLISH, copied from the last one where it is the same but for the packet identifier.
    /// - Parameter identifiers: the list behind `delivery.identifiers`, where it has one.
    package mutating func deliver(
        _ slot: Int, _ delivery: Delivery, _ message: MessageView, identifiers: [UInt32],
        into effects: inout [ConnectionEffect]
    ) {
        guard case .connected = connections[slot].state else { return }
        if connections[slot].outgoing.countMax > 0 {
            return deliverWithAlias(slot, delivery, message, identifiers: identifiers, into: &effects)
        }
        deliverPlain(slot, delivery, message, identifiers: identifiers, into: &effects)
    }

    /// A PUBLISH with the name of its topic and no alias.
    mutating func deliverPlain(
        _ slot: Int, _ delivery: Delivery, _ message: MessageView, identifiers: [UInt32],
        into effects: inout [ConnectionEffect]
    ) {
        encoded.prepare(delivery, message, identifiers: identifiers, version: connections[slot].version)
        guard encoded.byteCount <= connections[slot].packetBytesMax else {
            // A packet too long for this client is not sent, and counts as delivered [MQTT-3.1.2-25].
            counters.deliveriesTooLong += 1
            effects.append(
                .request(.connection(slot), .abandon(packetIdentifier: delivery.packetIdentifier)))
            return
        }
        encoded.append(to: &connections[slot].output, packetIdentifier: delivery.packetIdentifier)
        delivered(encoded.byteCount, to: slot, into: &effects)
    }

    /// Counts a PUBLISH that was appended, and lets deliveries rest when much waits.
    @inline(__always)
    mutating func delivered(_ byteCount: Int, to slot: Int, into effects: inout [ConnectionEffect]) {
        counters.packetsSent += 1
        counters.bytesSent += UInt64(byteCount)
        markDirty(slot)
        let waiting = connections[slot].output.count
        guard waiting > limits.outputBytesMax / 2 else { return }
        hasMuchOutput = true
        guard waiting > limits.outputBytesMax, !connections[slot].isBlocked else { return }
        connections[slot].isBlocked = true
        effects.append(.request(.connection(slot), .window(isOpen: false)))
    }

    private mutating func acknowledge(
        _ acknowledgement: Acknowledgement, _ slot: Int, into effects: inout [ConnectionEffect]
    ) {
        // At QoS 0 MQTT has no word for a refusal.
        guard acknowledgement.packetIdentifier != 0 else { return }
        if acknowledgement.outcome == .receiveMaximumExceeded {
            return fail(
                slot, .receiveMaximumExceeded, .violated(.receiveMaximumExceeded), into: &effects)  // §3.3.4
        }
        let isV5 = connections[slot].version == .v5
        if !isV5, acknowledgement.outcome == .quotaExceeded {
            // 3.x cannot say no. Not to acknowledge keeps the message with the client, which tries again [M-05].
            return fail(slot, .quotaExceeded, .closed(.quotaExceeded), into: &effects)
        }
        let type: PacketType
        switch acknowledgement.kind {
        case .puback: type = .puback
        case .pubrec: type = .pubrec
        case .pubrel: type = .pubrel
        case .pubcomp: type = .pubcomp
        }
        let code = isV5 ? ReasonCode(acknowledgement.outcome) : .success
        acknowledge(type, acknowledgement.packetIdentifier, code, slot)
    }

    /// One step of a QoS handshake; an error says why [MQTT-3.4.2-2].
    mutating func acknowledge(_ type: PacketType, _ identifier: UInt16, _ code: ReasonCode, _ slot: Int) {
        let version = connections[slot].version
        var packet = AckPacket(packetIdentifier: identifier, reasonCode: code)
        guard code.isError else {
            write(slot) { packet.encode(type, version: version, into: &$0) }
            return
        }
        explain(slot, ReasonText(code, in: type, limits)) { properties, output in
            packet.properties = properties
            packet.encode(type, version: version, into: &output)
        }
    }

    private mutating func subscribed(_ identifier: UInt16, _ outcomes: [SubscriptionOutcome], _ slot: Int) {
        let codes = outcomes.map { outcome -> UInt8 in
            switch outcome {
            case .granted(let qos, _): qos.rawValue
            case .refused(let refusal): connections[slot].version == .v5 ? ReasonCode(refusal).rawValue : 0x80
            }
        }
        sendCodes(codes, slot, .suback) {
            .suback(SubackPacket(packetIdentifier: identifier, properties: $1, reasonCodes: $0))
        }
    }

    private mutating func unsubscribed(_ identifier: UInt16, _ outcomes: [UnsubscriptionOutcome], _ slot: Int) {
        let codes = outcomes.map { outcome -> UInt8 in
            switch outcome {
            case .removed: ReasonCode.success.rawValue
            case .noSubscriptionExisted: ReasonCode.noSubscriptionExisted.rawValue
            case .refused(let refusal): ReasonCode(refusal).rawValue
            }
        }
        sendCodes(codes, slot, .unsuback) {
            .unsuback(UnsubackPacket(packetIdentifier: identifier, properties: $1, reasonCodes: $0))
        }
    }

    /// SUBACK or UNSUBACK; where filters were refused, the Reason String says why the first of them was.
    private mutating func sendCodes(
        _ codes: [UInt8], _ slot: Int, _ type: PacketType, _ packet: (ReasonCodes, PropertyList) -> MQTTPacket
    ) {
        let version = connections[slot].version
        ByteString(codes).withView { view in
            let codes = ReasonCodes(raw: view)
            guard version == .v5, let (index, code) = codes.enumerated().first(where: { $0.element.isError }) else {
                return send(packet(codes, PropertyList()), to: slot)
            }
            var text = ReasonText(code, in: type, limits)
            text.filter = index + 1
            explain(slot, text) { packet(codes, $0).encode(version: version, into: &$1) }
        }
    }

    /// The broker ends the link, which is already detached: MQTT 5 clients hear why (§4.13).
    private mutating func closed(_ slot: Int, _ reason: CloseReason, into effects: inout [ConnectionEffect]) {
        var code = ReasonCode(reason)
        if reason == .serverShuttingDown, let redirection = limits.redirection { code = redirection.code }
        sayDisconnect(slot, code)
        effects.append(.log(slot: slot, .ended(connections[slot].clientID, .closed(reason))))
        stop(slot)
    }
}

extension ReasonCode {
    init(_ refusal: Refusal) {
        switch refusal {
        case .clientIdentifierNotValid: self = .clientIdentifierNotValid
        case .topicFilterInvalid: self = .topicFilterInvalid
        case .topicNameInvalid: self = .topicNameInvalid
        case .notAuthorized: self = .notAuthorized
        case .quotaExceeded: self = .quotaExceeded
        case .sharedSubscriptionsNotSupported: self = .sharedSubscriptionsNotSupported
        case .serverUnavailable: self = .serverUnavailable
        }
    }

    init(_ reason: CloseReason) {
        switch reason {
        case .sessionTakenOver: self = .sessionTakenOver
        case .serverShuttingDown: self = .serverShuttingDown
        case .administrativeAction: self = .administrativeAction
        case .protocolError: self = .protocolError
        case .quotaExceeded: self = .quotaExceeded
        case .receiveMaximumExceeded: self = .receiveMaximumExceeded
        }
    }

    init(_ outcome: PublishOutcome) {
        switch outcome {
        case .success: self = .success
        case .noMatchingSubscribers: self = .noMatchingSubscribers
        case .unspecifiedError: self = .unspecifiedError
        case .notAuthorized: self = .notAuthorized
        case .topicNameInvalid: self = .topicNameInvalid
        case .packetIdentifierInUse: self = .packetIdentifierInUse
        case .packetIdentifierNotFound: self = .packetIdentifierNotFound
        case .quotaExceeded, .notRetained: self = .quotaExceeded
        case .receiveMaximumExceeded: self = .receiveMaximumExceeded
        }
    }
}
