internal import Bytes
internal import MQTTWire
internal import Messaging

/// Messages on their way out (MQTT 5.0 §4.3, §4.4, §4.9).
extension MQTTClient {
    /// Sends what the server's Receive Maximum has room for [MQTT-3.3.4-9].
    mutating func fillWindow() {
        while phase == .online, inflight.count < window, !waiting.isEmpty {
            var message = waiting.removeFirst()
            message.packetIdentifier = nextIdentifier()
            inflight.append(message)
            send(message, isDuplicate: false)
        }
    }

    mutating func send(_ message: Outgoing, isDuplicate: Bool) {
        message.topic.withView { topic in
            message.payload.withView { payload in
                write(
                    .publish(
                        PublishPacket(
                            topic: topic, packetIdentifier: message.packetIdentifier, qos: message.qos,
                            dup: isDuplicate, retain: message.retain, payload: payload)))
            }
        }
    }

    /// The session goes on: everything unacknowledged again, in its order [MQTT-4.4.0-1] [MQTT-4.6.0-1].
    mutating func resend() {
        for message in inflight {
            if message.isReleasing {
                write(.pubrel(AckPacket(packetIdentifier: message.packetIdentifier)))
            } else {
                send(message, isDuplicate: true)
            }
        }
        fillWindow()
    }

    /// A new session: QoS 1 is begun again, QoS 2 cannot be.
    mutating func beginAnew() {
        received = []
        let old = inflight
        inflight = []
        var again: [Outgoing] = []
        for message in old {
            if message.qos == .exactlyOnce {
                events.append(.abandoned(token: message.token))
            } else {
                again.append(message)
            }
        }
        waiting = again + waiting
        fillWindow()
    }

    mutating func pubrecReceived(_ ack: AckPacket) {
        guard let place = inflight.firstIndex(where: { $0.packetIdentifier == ack.packetIdentifier }) else {
            return events.append(.violation("PUBREC \(ack.packetIdentifier) out of the blue"))
        }
        if ack.reasonCode.rawValue >= 0x80 { return refuse(place, ack) }
        inflight[place].isReleasing = true
        write(.pubrel(AckPacket(packetIdentifier: ack.packetIdentifier)))
    }

    /// PUBACK or PUBCOMP.
    mutating func finished(_ ack: AckPacket, _ qos: QoS) {
        guard
            let place = inflight.firstIndex(where: {
                $0.packetIdentifier == ack.packetIdentifier && $0.qos == qos && (qos == .atLeastOnce || $0.isReleasing)
            })
        else { return events.append(.violation("acknowledgement \(ack.packetIdentifier) out of the blue")) }
        // PUBCOMP 0x92 says that the message was completed before: an earlier PUBCOMP was lost (§3.7.2.1).
        if qos == .atLeastOnce, ack.reasonCode.rawValue >= 0x80 { return refuse(place, ack) }
        events.append(.published(token: inflight.remove(at: place).token))
        fillWindow()
    }

    private mutating func refuse(_ place: Int, _ ack: AckPacket) {
        events.append(.publishRefused(token: inflight.remove(at: place).token, ack.reasonCode))
        fillWindow()
    }
}
