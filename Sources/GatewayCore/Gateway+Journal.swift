package import Bytes
internal import Clockwork
package import Journal
internal import MQTTSNWire
package import Messaging

/// Devices of which the store is to hear.
///
/// What changes is only noted, and written down when somebody asks: so a device is written once, however often it
/// changed meanwhile, and a store that takes nothing for a while costs no memory.
struct Unwritten {
    var devices: [Int] = []
    /// Slots whose devices the store still has, and the gateway has not.
    var gone: [Int] = []
    /// Devices that have told the present batch of new topic ids, and how many there are now.
    var fresh: [(slot: Int, topics: Int)] = []
    /// The number of that batch.
    var batch: UInt64 = 0
    /// How often something changed that others may have to wait for.
    var promises: UInt64 = 0
}

/// What has to survive of devices is told to the journal: those whose sessions outlive their connections.
extension Gateway {
    /// How often something has changed that must be safe before its device hears of it: the answer to CONNECT, to
    /// DISCONNECT with a duration, to REGISTER, SUBSCRIBE, WILLTOPICUPD, and REGISTER itself.
    package var durableChanges: UInt64 { unwritten.promises }

    /// Whether the device's record outlives the gateway.
    func isDurable(_ slot: Int) -> Bool {
        configuration.isDurable && table[slot].sessionExpiryInterval > 0
    }

    /// Something of the device has changed that the store must hear of.
    mutating func noteDurable(_ slot: Int) {
        guard configuration.isDurable, table[slot].sessionExpiryInterval > 0 || table[slot].isWritten else { return }
        unwritten.promises += 1
        guard !table[slot].isUnwritten else { return }
        table[slot].isUnwritten = true
        unwritten.devices.append(slot)
    }

    /// Something for the device that is there was not sent: a topic id may have been in it.
    package mutating func answerLost(to path: DatagramPath) {
        if let slot = table.slot(at: path) { table[slot].topics.doubtAll() }
    }

    /// The device is about to enter this state. That a sleeping device wakes and sleeps again is nothing new: it would
    /// cost the disk a record each time [D-101].
    mutating func noteState(_ state: State, _ slot: Int) {
        switch (table[slot].state, state) {
        case (_, .connecting), (_, .awake): return
        case (.awake(let awake), .asleep(let asleep)) where awake.asleep.duration == asleep.duration: return
        case (.asleep(let old), .asleep(let new)) where old.duration == new.duration: return
        default: noteDurable(slot)
        }
    }

    /// Writes down what has changed since the last time.
    ///
    /// - Parameter name: the name of a topic that the gateway keeps.
    package mutating func appendRecords(to journal: inout Journal, name: (TopicID) -> ByteView) {
        guard !unwritten.devices.isEmpty || !unwritten.gone.isEmpty else { return }
        if journal.batch != unwritten.batch {
            unwritten.batch = journal.batch
            for (slot, count) in unwritten.fresh where table.contains(slot) { table[slot].topics.settle(count) }
            unwritten.fresh.removeAll(keepingCapacity: true)
        }
        for slot in unwritten.gone { journal.append(.deviceGone(device: UInt32(slot))) }
        unwritten.gone.removeAll(keepingCapacity: true)
        for slot in unwritten.devices where table.contains(slot) && table[slot].isUnwritten {
            table[slot].isUnwritten = false
            if table[slot].sessionExpiryInterval > 0 {
                appendDevice(slot, to: &journal)
                appendTopics(slot, to: &journal, name)
                table[slot].isWritten = true
            } else if table[slot].isWritten {
                journal.append(.deviceGone(device: UInt32(slot)))
                table[slot].isWritten = false
            }
        }
        unwritten.devices.removeAll(keepingCapacity: true)
    }

    private func appendDevice(_ slot: Int, to journal: inout Journal) {
        let device = table[slot]
        var record = DeviceRecord(
            device: UInt32(slot), clientID: .empty, state: .lost, path: .empty, nodeID: .empty,
            isBound: device.isBound, hadWill: false, cleanSession: false, keepAlive: 0, sleepDuration: 0,
            sessionExpiryInterval: device.sessionExpiryInterval, awaySince: nil, will: nil)
        describe(device.state, of: device, in: &record)
        let nodeID = table.nodes[device.path.node]?.withView { ByteString($0) } ?? ByteString()
        device.clientID.withView { clientID in
            device.path.stored.withView { path in
                nodeID.withView { nodeID in
                    record.clientID = clientID
                    record.path = path
                    record.nodeID = nodeID
                    append(record, with: wills[slot], to: &journal)
                }
            }
        }
    }

    private func append(_ record: DeviceRecord, with will: Will?, to journal: inout Journal) {
        guard let will else { return journal.append(.device(record)) }
        var record = record
        will.topic.withView { topic in
            will.payload.withView { payload in
                record.will = DeviceRecord.StoredWill(
                    topic: topic, payload: payload, qos: will.qos, retain: will.retain)
                journal.append(.device(record))
            }
        }
    }

    /// The state that the device will be in when a gateway that ended now is started anew: who was half-way through a
    /// CONNECT is where that came from.
    private func describe(_ state: State, of device: Device, in record: inout DeviceRecord) {
        switch state {
        case .connecting(let connecting):
            switch connecting.origin {
            case .new: break
            case .disconnected(let away): describe(.disconnected(away), of: device, in: &record)
            case .lost(let away): describe(.lost(away), of: device, in: &record)
            case .asleep(let asleep): describe(.asleep(asleep), of: device, in: &record)
            }
        case .active(let active):
            record.state = .active
            record.hadWill = active.request.will
            record.cleanSession = active.request.cleanSession
            record.keepAlive = active.request.duration
        case .asleep(let asleep):
            record.state = .asleep
            record.sleepDuration = asleep.duration
        case .awake(let awake): describe(.asleep(awake.asleep), of: device, in: &record)
        case .disconnected(let away):
            record.state = .disconnected
            record.awaySince = since(away, device)
        case .lost(let away): record.awaySince = since(away, device)
        }
    }

    /// When the device went, in seconds since 1970; nil where nobody needs to know.
    private func since(_ away: Away, _ device: Device) -> Int64? {
        guard let until = away.until else { return nil }
        let left = Int64(clamping: until.since(now.instant).wholeNanoseconds / 1_000_000_000)
        return now.unixSeconds - max(0, Int64(device.sessionExpiryInterval) - left)
    }

    private mutating func appendTopics(_ slot: Int, to journal: inout Journal, _ name: (TopicID) -> ByteView) {
        var first = Int(table[slot].topics.unwrittenFrom)
        if table[slot].topics.isStale {
            if table[slot].isWritten { journal.append(.deviceTopicsGone(device: UInt32(slot))) }
            first = 0
            for alias in table[slot].topics.aliases {
                journal.append(
                    .deviceTopic(
                        DeviceTopicRecord(
                            device: UInt32(slot), type: alias.reference.type.rawValue, id: alias.reference.id,
                            topic: name(alias.topic), knowledge: 0, isServers: false)))
            }
        }
        for index in first..<max(first, table[slot].topics.entries.count) {
            let entry = table[slot].topics.entries[index]
            journal.append(
                .deviceTopic(
                    DeviceTopicRecord(
                        device: UInt32(slot), type: SNTopicIDType.normal.rawValue, id: topicID(at: index),
                        topic: name(entry.topic), knowledge: table[slot].topics.storedKnowledge(at: index).rawValue,
                        isServers: entry.isServers)))
        }
        table[slot].topics.noteWritten()
        guard table[slot].topics.hasFresh else { return }
        unwritten.fresh.append((slot, table[slot].topics.entries.count))
    }
}
