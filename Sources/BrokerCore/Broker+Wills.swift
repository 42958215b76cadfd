internal import Bytes
internal import Clockwork
internal import Messaging

extension Broker {
    /// A new will, or none; an empty message keeps the topic (MQTT-SN 1.2 §6.4).
    mutating func willChanged(_ will: Will?, session slot: Int) {
        sessions[slot].will = will
    }

    /// Publishes a will whose delay has passed or whose session ends [MQTT-3.1.2-10].
    mutating func publishPendingWill(_ slot: Int, now: Now, into effects: inout BrokerEffects) {
        guard let will = sessions[slot].pendingWill else { return }
        sessions[slot].pendingWill = nil
        timers.cancel(slot << 1 | 1)
        publish(will, of: slot, now: now, into: &effects)
    }

    /// Publishes a will as its client would have. The message is stored: answers show it after this call.
    mutating func publish(_ will: Will, of slot: Int, now: Now, into effects: inout BrokerEffects) {
        var lacksRoom = false
        let handle: MessageHandle? = will.topic.withView { name in
            guard !name.beginsWithDollar, limits.topicRules.allowsName(name) else { return nil }
            let topic = topics.intern(name)
            // The rules may have changed since CONNECT (attack case 77).
            guard mayPublish(to: topic, as: slot) else { return nil }
            lastSerial += 1
            let expiresAt = will.messageExpiryInterval.map { now.unixSeconds + Int64($0) } ?? .max
            return will.properties.withView { properties in
                will.payload.withView { payload in
                    let message = Passing(
                        serial: lastSerial, topic: topic, properties: properties, payload: payload,
                        expiresAt: expiresAt, qos: will.qos, retain: will.retain, takenAt: now.seconds)
                    lacksRoom = !hasRoomToHold(message)
                    return store(message)
                }
            }
        }
        guard let handle else {
            counters.publishesRefused += 1
            return
        }
        var message = messages.passing(handle)
        message.lacksRoom = lacksRoom
        _ = distribute(
            message, stored: handle, qos: will.qos, retain: will.retain, from: slot, now: now, into: &effects)
        release(handle, .none)
    }
}
