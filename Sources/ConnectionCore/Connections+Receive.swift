package import Bytes
package import Clockwork
internal import MQTTWire
package import Messaging

extension Connections {
    /// Takes packets from the front of `input` until one asks something of the broker, and returns that.
    ///
    /// The adapter calls until nil comes: then the input is used up. Views in the request show the input, or the
    /// connection's own memory, until the next call for this connection. A packet that straddles two reads is
    /// completed on its own; everything else is decoded where it lies.
    package mutating func next(
        _ slot: Int, _ input: inout ByteView, now: Now, into effects: inout [ConnectionEffect]
    ) -> LinkRequest? {
        dropSpentPartial(slot)
        connections[slot].lastHeard = now.instant  // [M-01]
        while true {
            switch connections[slot].state {
            case .opened, .authenticating, .connected: break
            case .attaching, .verifying:
                hold(slot, &input, into: &effects)
                countUnfinished(slot, into: &effects)
                return nil
            case .free, .closing:
                input = .empty
                return nil
            }
            do throws(Violation) {
                guard let frame = try nextFrame(slot, &input) else {
                    countUnfinished(slot, into: &effects)
                    return nil
                }
                counters.packetsReceived += 1
                counters.bytesReceived += UInt64(frame.byteCount)
                let request = try received(frame, slot, now: now, into: &effects)
                if let request { return request }
            } catch {
                reject(slot, error, into: &effects)
            }
            dropSpentPartial(slot)
        }
    }

    private mutating func dropSpentPartial(_ slot: Int) {
        dropSpentHeld(slot)
        guard connections[slot].partialIsSpent else { return }
        connections[slot].partialIsSpent = false
        connections[slot].partial.consume(connections[slot].partial.count, keptBytesMax: 0)
    }

    func packetBytesMax(_ slot: Int) -> Int {
        switch connections[slot].state {
        case .opened, .authenticating: limits.packetBeforeConnectBytesMax
        case .free, .verifying, .attaching, .connected, .closing: limits.packetBytesMax
        }
    }

    private mutating func nextFrame(_ slot: Int, _ input: inout ByteView) throws(Violation) -> MQTTFrame? {
        if !connections[slot].held.isEmpty, let frame = try heldFrame(slot) { return frame }
        if !connections[slot].partial.isEmpty { return try completedFrame(slot, &input) }
        let bytes = input
        let bytesMax = packetBytesMax(slot)
        let frame = try decoding { () throws(MQTTDecodeError) in
            try MQTTFrame.next(in: bytes, maximumPacketSize: bytesMax)
        }
        if let frame {
            input = input.dropFirst(frame.byteCount)
            return frame
        }
        connections[slot].partial.append(input)
        input = .empty
        return nil
    }

    /// Moves just the missing bytes from the input: only the packet that straddles is copied, and each byte once.
    private mutating func completedFrame(_ slot: Int, _ input: inout ByteView) throws(Violation) -> MQTTFrame? {
        let bytesMax = packetBytesMax(slot)
        while true {
            let partial = connections[slot].partial.pending
            let expected = try decoding { () throws(MQTTDecodeError) in
                try MQTTFrame.expectedByteCount(of: partial, maximumPacketSize: bytesMax)
            }
            let missing = (expected ?? partial.count + 1) - partial.count
            if missing <= 0 {
                connections[slot].partialIsSpent = true
                return try decoding { () throws(MQTTDecodeError) in
                    try MQTTFrame.next(in: partial, maximumPacketSize: bytesMax)
                }
            }
            guard !input.isEmpty else { return nil }
            let taken = min(missing, input.count)
            connections[slot].partial.append(input[0..<taken])
            input = input.dropFirst(taken)
        }
    }

    /// One packet: answered here, or turned into what the broker is asked.
    private mutating func received(
        _ frame: MQTTFrame, _ slot: Int, now: Now, into effects: inout [ConnectionEffect]
    ) throws(Violation) -> LinkRequest? {
        if case .opened = connections[slot].state {
            // The first packet is CONNECT, or the connection ends [MQTT-3.1.0-1].
            guard frame.type == .connect else { throw .connectExpected }
            return connectReceived(try decodedConnect(frame), slot, now: now, into: &effects)
        }
        if case .authenticating(let pending) = connections[slot].state {
            return try received(frame, slot, before: pending, into: &effects)
        }
        let version = connections[slot].version
        switch frame.type {
        case .publish:
            let packet = try decoding { () throws(MQTTDecodeError) in
                try PublishPacket.decode(frame, version: version)
            }
            return try publishReceived(packet, slot)
        case .connect, .connack, .suback, .unsuback, .pingresp:
            // A second CONNECT [MQTT-3.1.0-2], or a packet that only servers send: whatever is in it.
            throw .protocolError
        case .puback, .pubrec, .pubrel, .pubcomp, .subscribe, .unsubscribe, .pingreq, .disconnect, .auth: break
        }
        let decodeLimits = DecodeLimits(filtersMax: limits.filtersPerPacketMax)  // [M-80]
        switch try decoding({ () throws(MQTTDecodeError) in
            try MQTTPacket.decode(frame, version: version, limits: decodeLimits)
        }) {
        case .puback(let packet): return .acknowledge(packet.acknowledgement(.puback))
        case .pubrec(let packet): return .acknowledge(packet.acknowledgement(.pubrec))
        case .pubcomp(let packet): return .acknowledge(packet.acknowledgement(.pubcomp))
        case .pubrel(let packet): return .release(packetIdentifier: packet.packetIdentifier)
        case .subscribe(let packet): return try subscribeReceived(packet, slot)
        case .unsubscribe(let packet): return unsubscribeReceived(packet)
        case .pingreq:
            write(slot) { $0.append(UInt16(0xD000)) }  // [MQTT-3.12.4-1]
            endIfUnanswerable(slot, into: &effects)
            return nil
        case .disconnect(let packet): return try disconnectReceived(packet, slot, into: &effects)
        case .auth(let packet):
            try reauthenticationReceived(packet, slot, now: now, into: &effects)
            return nil
        case .connect, .connack, .publish, .suback, .unsuback, .pingresp:
            // These do not come here.
            throw .protocolError
        }
    }

    private func decodedConnect(_ frame: MQTTFrame) throws(Violation) -> ConnectPacket {
        do throws(MQTTDecodeError) {
            return try ConnectPacket.decode(frame)
        } catch {
            throw .badConnect(error, ConnectPacket.version(in: frame))
        }
    }

    private mutating func publishReceived(
        _ packet: PublishPacket, _ slot: Int
    ) throws(Violation) -> LinkRequest? {
        let properties = packet.properties
        // Only a server sends subscription identifiers [MQTT-3.3.4-6].
        guard !properties.hasSubscriptionIdentifiers else { throw .protocolError }
        guard packet.payload.count <= limits.payloadBytesMax else { throw .payloadTooLarge }
        guard packet.qos <= connections[slot].qosMax else { throw .qosNotSupported }
        guard !packet.retain || limits.retainAvailable else { throw .retainNotSupported }
        var topic = IncomingPublish.Topic.name(packet.topic)
        if let alias = properties.topicAlias { topic = .name(try resolve(alias, packet.topic, slot)) }
        guard isPayloadFormatValid(properties.payloadFormatIndicator, packet.payload) else {
            try refusePayloadFormat(packet, slot)
            return nil
        }
        return .publish(
            IncomingPublish(
                topic: topic, qos: packet.qos, retain: packet.retain, isDuplicate: packet.dup,
                packetIdentifier: packet.packetIdentifier, properties: forwarded(properties), payload: packet.payload,
                messageExpiryInterval: properties.messageExpiryInterval))
    }

    /// The properties that travel on: mostly just where they lie.
    private mutating func forwarded(_ properties: PublishProperties) -> ByteView {
        if let whole = properties.forwardable { return whole }
        scratch.truncate(to: 0)
        properties.appendForwardable(to: &scratch)
        return scratch.pending
    }

    /// Sets or looks up a topic alias (§3.3.2.3.4) [MQTT-3.3.2-8]. What the aliases of a client keep is limited: names
    /// that are too long to be published anyway are none of it [M-06].
    private mutating func resolve(
        _ alias: UInt16, _ topic: ByteView, _ slot: Int
    ) throws(Violation) -> ByteView {
        guard alias > 0, alias <= connections[slot].topicAliasMax else { throw .topicAliasInvalid }
        let index = Int(alias) - 1
        if !topic.isEmpty {
            guard topic.count <= limits.topicBytesMax else { throw .topicNameInvalid }
            while connections[slot].aliases.count <= index { connections[slot].aliases.append(nil) }
            // A client may name the topic each time: its copy is made once.
            if connections[slot].aliases[index]?.withView({ $0 == topic }) == true { return topic }
            connections[slot].aliases[index] = ByteString(topic)
            return topic
        }
        guard index < connections[slot].aliases.count, let known = connections[slot].aliases[index] else {
            throw .protocolError
        }
        scratchTopic.truncate(to: 0)
        scratchTopic.append(known)
        return scratchTopic.pending
    }

    private func subscribeReceived(_ packet: SubscribePacket, _ slot: Int) throws(Violation) -> LinkRequest {
        let identifier = packet.properties.uint32(.subscriptionIdentifier) ?? 0
        var requests: [SubscriptionRequest] = []
        requests.reserveCapacity(packet.filters.count)
        var filters = packet.filters.makeIterator()
        while let (filter, requested) = filters.next() {
            // A group cannot tell whose message it is [MQTT-3.8.3-4].
            guard !requested.noLocal || !filter.isShared else { throw .protocolError }
            var options = requested
            options.identifier = identifier
            options.maximumQoS = min(options.maximumQoS, connections[slot].qosMax)
            requests.append(SubscriptionRequest(filter: ByteString(filter), options: options))
        }
        return .subscribe(packetIdentifier: packet.packetIdentifier, requests)
    }

    private func unsubscribeReceived(_ packet: UnsubscribePacket) -> LinkRequest {
        var filters: [ByteString] = []
        filters.reserveCapacity(packet.filters.count)
        for filter in packet.filters { filters.append(ByteString(filter)) }
        return .unsubscribe(packetIdentifier: packet.packetIdentifier, filters)
    }

    /// DISCONNECT: only a normal one discards the will [MQTT-3.1.2-10], and the session may get another expiry, but
    /// none if CONNECT had given it none (§3.14.2.2.2).
    private mutating func disconnectReceived(
        _ packet: DisconnectPacket, _ slot: Int, into effects: inout [ConnectionEffect]
    ) throws(Violation) -> LinkRequest? {
        let expiry = packet.properties.uint32(.sessionExpiryInterval)
        if let expiry, expiry != 0, connections[slot].sessionEndsHere { throw .protocolError }
        let farewell = Farewell(
            publishesWill: packet.reasonCode != .normalDisconnection, sessionExpiryInterval: expiry)
        effects.append(.log(slot: slot, .ended(connections[slot].clientID, .disconnected)))
        stop(slot)
        return .detach(farewell)
    }
}

extension AckPacket {
    /// The client's answer in the words of the broker.
    func acknowledgement(_ kind: Acknowledgement.Kind) -> Acknowledgement {
        Acknowledgement(kind, packetIdentifier, reasonCode.isError ? .unspecifiedError : .success)
    }
}
