package import Bytes
package import MQTTSNWire
package import Messaging

extension Device {
    /// What an application may ask of its device.
    ///
    /// What carries a token is done in order while the device is active, and answered under that token. What is not
    /// done when the connection ends waits for the next one.
    package enum Command: Equatable, Sendable {
        case connect(Connect)
        case publish(token: Int, Publication)
        case register(token: Int, ByteString)
        case subscribe(token: Int, Topic, QoS)
        case unsubscribe(token: Int, Topic)
        /// WILLTOPICUPD: another topic for the will, its message staying; none takes the whole will back (§6.4).
        case updateWillTopic(token: Int, WillTopic?)
        /// WILLMSGUPD: another message for the will (§6.4).
        case updateWillMessage(token: Int, ByteString)
        /// PINGREQ, to see whether the gateway is there (§6.11).
        case ping
        /// DISCONNECT with a duration; 1 to 65,535 seconds (§6.14).
        case sleep(seconds: UInt16)
        /// PINGREQ with the client id, while asleep (§6.14).
        case wake
        case disconnect
        /// The power was gone. What a device keeps in flash stays: the handshakes at QoS 1 and 2 that are open, and
        /// what waits to be published. The connection and all topic ids are forgotten.
        case restart
    }

    /// What CONNECT says (§5.4.4).
    package struct Connect: Equatable, Sendable {
        package var clientID: ClientID
        /// Seconds; 0 for no supervision.
        package var keepAlive: UInt16
        package var cleanSession: Bool
        package var will: Will?

        package init(clientID: ClientID, keepAlive: UInt16 = 60, cleanSession: Bool = true, will: Will? = nil) {
            self.clientID = clientID
            self.keepAlive = keepAlive
            self.cleanSession = cleanSession
            self.will = will
        }
    }

    /// What WILLTOPICUPD says (§5.4.22).
    package struct WillTopic: Equatable, Sendable {
        package var topic: ByteString
        package var qos: QoS
        package var retain: Bool

        package init(topic: ByteString, qos: QoS, retain: Bool = false) {
            self.topic = topic
            self.qos = qos
            self.retain = retain
        }
    }

    /// A message to publish.
    package struct Publication: Equatable, Sendable {
        package var topic: Topic
        /// At -1, the topic is predefined or short, and no connection is needed (§6.8).
        package var qos: SNQoS
        package var retain: Bool
        package var payload: ByteString

        package init(topic: Topic, qos: SNQoS, retain: Bool = false, payload: ByteString) {
            self.topic = topic
            self.qos = qos
            self.retain = retain
            self.payload = payload
        }
    }

    /// The ways to name a topic (§6.7).
    package enum Topic: Hashable, Sendable {
        case name(ByteString)
        case predefined(UInt16)
        /// Two characters, the first in the upper byte.
        case short(UInt16)
    }

    /// What differs between devices.
    package struct Settings: Sendable {
        /// T_retry (§7.2).
        package var retryInterval: Duration = .seconds(10)
        /// N_retry (§7.2).
        package var retryCount = 4
        /// T_WAIT: the pause after the return code "congestion" (§7.2).
        package var waitInterval: Duration = .seconds(300)
        /// Commands with a token that wait.
        package var workMax = 64
        /// Normal topic ids that the device can remember.
        package var topicsMax = 256
        /// Whether a device that reconnects with CleanSession=0 goes on with the ids it had. The standard does not
        /// promise them; Dormouse does [D-03].
        package var keepsTopicIDs = false
        /// The first MsgId (§5.3.8). A device that forgets the last one draws it by chance: the gateway may still have
        /// a handshake open under one of its ids, and nobody shall foresee what a forged answer has to carry. 0 is 1.
        package var firstMsgID: UInt16 = 1

        package init() {}
    }
}
