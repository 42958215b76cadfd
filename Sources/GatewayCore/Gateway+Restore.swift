internal import Bytes
package import Clockwork
package import Journal
internal import MQTTSNWire
package import Messaging

/// Devices that an earlier gateway knew.
///
/// First come the records, then the owner finds out which devices have a session left and attaches those that are
/// there: `offer(of:)`, `restored(_:)`, `forget(_:)`.
extension Gateway {
    /// Takes the record of a device. Each gets its whole keep-alive or sleep anew: what it said while the gateway was
    /// away was not heard [D-100].
    ///
    /// - Returns: false for a record that makes no sense, or has no room.
    package mutating func restore(_ record: DeviceRecord, now: Now) -> Bool {
        self.now = now
        let slot = Int(record.device)
        guard slot < configuration.devicesMax, !table.contains(slot), !record.clientID.isEmpty,
            table.slot(named: record.clientID) == nil, table.count < configuration.devicesMax,
            record.sessionExpiryInterval > 0, var path = DatagramPath(stored: record.path)
        else { return false }
        if !record.nodeID.isEmpty {
            guard let node = table.nodes.number(of: record.nodeID) else { return false }
            path.node = node
        }
        // A forwarder that is none any more leads to nobody, nor does a listener that is not for devices.
        let isAllowed =
            configuration.rules(of: path.listener).isForDevices && (path.node == 0 || configuration.isForwarder(path))
        let isReached = record.isBound && isAllowed && table.slot(at: path) == nil
        let state = state(of: record, isReached: isReached)
        var device = Device(
            path: path, clientID: ByteString(record.clientID), state: state, heard: now.instant,
            registerID: UInt16(random.below(0x7FFF)))
        device.sessionExpiryInterval = record.sessionExpiryInterval
        // A CONNECT may be one that another gateway answered: it is taken as it comes.
        device.hasSpoken = true
        device.isWritten = true
        table.insert(device, at: slot)
        counters[state.kind] += 1
        if isReached, state.isAttached { table.bind(slot, to: path) }
        if let will = record.will {
            store(
                Will(
                    topic: ByteString(will.topic), payload: ByteString(will.payload), qos: will.qos,
                    retain: will.retain), slot)
        }
        table[slot].isUnwritten = false
        noteChange(slot)
        arm(slot)
        return true
    }

    private func state(of record: DeviceRecord, isReached: Bool) -> State {
        let isForEver = record.sessionExpiryInterval == .max
        let away = max(0, now.unixSeconds - (record.awaySince ?? now.unixSeconds))
        let left = max(0, Int64(record.sessionExpiryInterval) - away)
        let gone = Away(until: isForEver ? nil : now.instant + .seconds(left))
        switch record.state {
        case .active where isReached:
            let request = ConnectRequest(
                will: record.hadWill, cleanSession: record.cleanSession, duration: record.keepAlive)
            return .active(Active(request: request, since: now.instant))
        case .active, .disconnected: return .disconnected(gone)
        case .asleep: return .asleep(Asleep(duration: record.sleepDuration))
        case .lost: return .lost(gone)
        }
    }

    /// Takes a topic that a device knows by a number; the broker keeps it for that.
    ///
    /// - Returns: false for what makes no sense: the topic is not kept then.
    package mutating func restore(_ record: DeviceTopicRecord, topic: TopicID) -> Bool {
        let slot = Int(record.device)
        guard table.contains(slot), let type = SNTopicIDType(rawValue: record.type) else { return false }
        guard type == .normal else {
            guard type != .reserved, table[slot].topics.alias(of: topic) == nil else { return false }
            let reference = TopicReference(type: type, id: record.id)
            table[slot].topics.restore(TopicRegistry.Alias(topic: topic, reference: reference))
            let meaning = name(reference, clientID: table[slot].clientID, listener: table[slot].path.listener)
            guard meaning != record.topic else { return true }
            // The id means another topic now: this one gets a normal id, as if subscribed to by a filter [D-57].
            _ = table[slot].topics.removeAlias(of: topic)
            unneeded.append(topic)
            noteDurable(slot)
            return true
        }
        // Ids given once stay what they are, even if the predefined ones have become more [D-102].
        if topicCount == 0, record.id > 0 { moveTopicBase(to: Int(record.id) - 1) }
        let index = Int(record.id) - topicBase - 1
        guard index == table[slot].topics.entries.count, table[slot].topics.index(of: topic) == nil,
            let knowledge = TopicRegistry.Knowledge(rawValue: record.knowledge)
        else { return false }
        table[slot].topics.restore(
            TopicRegistry.Entry(topic: topic, knowledge: knowledge, isServers: record.isServers))
        topicCount += 1
        // Who was active may have missed the answer that the store believes it had.
        if case .asleep = table[slot].state { return true }
        if knowledge == .known { table[slot].topics.setKnowledge(.unknown, at: index) }
        return true
    }

    // MARK: - The broker's part

    /// Topics that were kept for devices and are not needed: for the broker to let go. The list starts anew.
    package mutating func takeUnneeded() -> [TopicID] {
        defer { unneeded = [] }
        return unneeded
    }

    /// The devices that records were taken of, in the order of their slots.
    package var restoredDevices: [Int] { table.slots.filter { table.contains($0) } }

    /// What the broker is offered for the session of a restored device, and whether the device is there: it takes
    /// deliveries or sleeps.
    ///
    /// The MsgIds go on anywhere: where they began anew, a late copy of an answer to one before the end would be taken
    /// for the answer to another message [D-54].
    package mutating func offer(of slot: Int) -> (offer: SessionOffer, isAttached: Bool, isListening: Bool) {
        let isListening = if case .active = table[slot].state { true } else { false }
        return (
            offer(
                of: slot, cleanSession: false, will: wills[slot],
                firstPacketIdentifier: UInt16(1 + identifiers.below(0x7FFF))),
            table[slot].state.isAttached, isListening
        )
    }

    /// The device has no session: its record goes.
    package mutating func forget(_ slot: Int, now: Now, into effects: inout [Effect]) {
        self.now = now
        swap(&self.effects, &effects)
        remove(slot)
        swap(&self.effects, &effects)
    }
}
