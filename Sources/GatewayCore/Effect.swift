package import MQTTSNWire
package import Messaging

extension Gateway {
    /// What must happen because of an event, in this order.
    ///
    /// Views in an effect are of the event that was handled or of memory that the gateway keeps unchanged until it is
    /// next called: drain the effects before that.
    package enum Effect {
        /// Send this message.
        case send(SNPacket, to: DatagramPath)
        /// Send PUBLISH with the payload of `message`, or send it again.
        case sendPublish(PublishHeader, message: MessageHandle, to: DatagramPath)
        /// Send REGISTER with the topic name of `message`, or send it again (§5.4.10).
        case sendRegister(topicID: UInt16, msgID: UInt16, message: MessageHandle, to: DatagramPath)
        /// Send this message to a multicast group, with this time to live or hop limit.
        case multicast(SNPacket, to: GroupLink, hops: UInt8)
        /// Ask the broker; the answers come back as `Event.answered`.
        case request(LinkID, LinkRequest)
        /// PUBLISH at QoS -1 from somebody who is not connected, under the listener's own access rules [D-33].
        case anonymousPublish(IncomingPublish, listener: UInt16)
        /// Something that people may want to read.
        case log(GatewayLog)
    }

    /// The fields of a PUBLISH to a device, without its data (§5.4.12).
    package struct PublishHeader: Equatable, Sendable {
        package var dup: Bool
        package var qos: QoS
        package var retain: Bool
        package var topicIDType: SNTopicIDType
        package var topicID: UInt16
        /// 0x0000 at QoS 0.
        package var msgID: UInt16
        /// Whether it leaves only once all is safe that was recorded so far, as in `Delivery.isRecorded`.
        package var isRecorded = false
    }
}
