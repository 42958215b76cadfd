package import Bytes
package import Clockwork
internal import DeviceCore
internal import MQTTSNWire

/// Messages at QoS 2 that a device took for ones it had before, since they came under the MsgId of another. Nothing
/// but a session that ended without the device's knowing can be the reason (§6.3, [D-54]).
package struct Mistake {
    package let device: Int
    /// Of the message that was taken for another.
    package let payload: ByteString
    /// When the other one came.
    package let otherCame: Instant
}

/// What a device took under which MsgId at QoS 2, by its payload. Looked up, never walked through.
struct TakenMessages {
    private var last: [UInt16: (payload: ByteString, at: Instant)] = [:]

    /// Notes a PUBLISH at QoS 2 that reached the device, and whether it was passed on. When the message came whose
    /// repetition the device saw in it, if it is another one.
    mutating func note(_ msgID: UInt16, _ payload: ByteString, isPassedOn: Bool, at now: Instant) -> Instant? {
        if isPassedOn {
            last[msgID] = (payload, now)
            return nil
        }
        guard let other = last[msgID], other.payload != payload else { return nil }
        return other.at
    }
}

extension World {
    /// Looks at a datagram that has reached a device, and at what the device made of it.
    mutating func noteMistake(_ bytes: ByteString, _ device: Int, _ effects: [Device.Effect]) {
        // The device's PUBREC: it listened, and knows the topic.
        guard !effects.isEmpty else { return }
        bytes.withView { view in
            guard case .publish(let publish)? = try? SNPacket.decode(view), publish.qos == .two else { return }
            let isRefused = effects.contains { effect in
                guard case .send(let answer) = effect else { return false }
                return answer.withView { (try? SNPacket.decode($0))?.type != .pubrec }
            }
            guard !isRefused else { return }
            let isPassedOn = effects.contains { if case .received = $0 { true } else { false } }
            let payload = ByteString(publish.data)
            let otherCame = devices[device].taken.note(publish.msgID, payload, isPassedOn: isPassedOn, at: now)
            if let otherCame { mistakes.append(Mistake(device: device, payload: payload, otherCame: otherCame)) }
        }
    }
}
