package import Bytes
package import MQTTSNWire
package import Messaging

extension Device {
    /// What must happen because of an event, in this order.
    package enum Effect: Equatable, Sendable {
        /// Send this datagram to the gateway.
        case send(ByteString)
        /// CONNACK has come.
        case connected
        /// CONNECT was refused.
        case refused(SNReturnCode)
        /// The gateway ended the connection, or answered our DISCONNECT.
        case disconnected
        /// The gateway knows that the device sleeps; or a wake is over.
        case fellAsleep
        /// A wake found no gateway. The device sleeps on.
        case wakeUnanswered
        /// The gateway did not answer, N_retry times (§6.13). The device is disconnected.
        case lost
        /// PINGRESP has come.
        case ponged
        case registered(token: Int, topicID: UInt16)
        /// Sent at QoS 0 and -1, acknowledged at QoS 1, completed at QoS 2.
        case published(token: Int)
        case subscribed(token: Int, QoS)
        case unsubscribed(token: Int)
        /// WILLTOPICRESP or WILLMSGRESP has come: the gateway has the will as it was said.
        case willUpdated(token: Int)
        case failed(token: Int, Failure)
        case received(Received)
    }

    /// Why a command came to nothing.
    package enum Failure: Equatable, Sendable {
        case refused(SNReturnCode)
        /// Too many commands wait.
        case workFull
        /// The device can remember no more topic ids.
        case topicsFull
        /// The message does not fit a datagram.
        case tooLong
        /// QoS -1 knows no topic names (§6.8).
        case needsTopicID
        /// The session was given up in the middle of a handshake at QoS 2: whether the message got through is unknown.
        case sessionEnded
    }

    /// A message for this device.
    package struct Received: Equatable, Sendable {
        /// A name wherever the device knows it.
        package var topic: Topic
        package var qos: QoS
        package var retain: Bool
        package var payload: ByteString

        package init(topic: Topic, qos: QoS, retain: Bool, payload: ByteString) {
            self.topic = topic
            self.qos = qos
            self.retain = retain
            self.payload = payload
        }
    }
}
