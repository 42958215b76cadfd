internal import Clockwork
internal import MQTTSNWire
internal import Messaging

/// The one delivery that is under way to a device: REGISTER where needed, PUBLISH, and its handshake (§6.10) [D-05].
///
/// It outlives sleep: what was not acknowledged is sent again at the next wake.
enum Exchange {
    /// Can transition to: registering, publishing, releasing (a handshake that an earlier connection began).
    case idle
    /// REGISTER was sent, REGACK is awaited. Can transition to: publishing, resting, idle.
    case registering(Downlink, msgID: UInt16)
    /// PUBLISH at QoS 1 or 2 was sent. Can transition to: registering, recording, resting, idle.
    case publishing(Downlink)
    /// PUBREC was passed on; the broker's PUBREL is awaited. Can transition to: releasing.
    case recording(msgID: UInt16)
    /// PUBREL was sent, PUBCOMP is awaited. Can transition to: idle.
    case releasing(msgID: UInt16)
    /// The device answered "congestion" [D-46]. Can transition to: registering, publishing. Rare, and kept apart so
    /// that it does not make every device larger.
    indirect case resting(Downlink, until: Instant)

    /// The delivery whose PUBLISH the device may have had: sent now, or before REGISTER or a pause came between.
    var published: Downlink? {
        switch self {
        case .publishing(let downlink): downlink
        case .registering(let downlink, _), .resting(let downlink, _): downlink.dup ? downlink : nil
        case .idle, .recording, .releasing: nil
        }
    }

    var isIdle: Bool {
        if case .idle = self { return true }
        return false
    }
}

/// A delivery with the topic id that the device knows it by.
struct Downlink {
    var message: MessageHandle
    var topic: TopicID
    var msgID: UInt16
    var reference: TopicReference
    var qos: QoS
    var retain: Bool
    /// Whether PUBLISH was sent before, now or in an earlier connection.
    var dup: Bool
    /// Whether REGISTER was repeated because the device did not know the id [D-07].
    var isSecondChance = false
    /// As in `Delivery.isRecorded`.
    var isRecorded: Bool

    init(_ delivery: Delivery, _ reference: TopicReference) {
        message = delivery.message
        topic = delivery.topic
        msgID = delivery.packetIdentifier
        qos = delivery.qos
        retain = delivery.retain
        dup = delivery.isDuplicate
        isRecorded = delivery.isRecorded
        self.reference = reference
    }

    var header: Gateway.PublishHeader {
        Gateway.PublishHeader(
            dup: dup && qos != .atMostOnce, qos: qos, retain: retain, topicIDType: reference.type,
            topicID: reference.id, msgID: msgID, isRecorded: isRecorded)
    }
}
