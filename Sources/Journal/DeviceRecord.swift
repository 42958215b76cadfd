package import Bytes
package import Messaging

/// What stays of a device (MQTT-SN 1.2 §6.14). It is named by its slot in the gateway.
package struct DeviceRecord: Equatable {
    package var device: UInt32
    /// As the broker knows it.
    package var clientID: ByteView
    package var state: State
    /// Where it was reached last, in the gateway's own words.
    package var path: ByteView
    /// How a forwarder calls it; empty for a device that is reached directly.
    package var nodeID: ByteView
    /// Whether its address leads to it.
    package var isBound: Bool
    /// CONNECT as it came: the flags Will and CleanSession, and Duration in seconds.
    package var hadWill: Bool
    package var cleanSession: Bool
    package var keepAlive: UInt16
    /// Seconds; 0 for a device that is not asleep.
    package var sleepDuration: UInt16
    /// Seconds that its session outlives the connection; `UInt32.max` for ever.
    package var sessionExpiryInterval: UInt32
    /// When it went, in seconds since 1970; nil while it is there or asleep.
    package var awaySince: Int64?
    /// The stored will; nil for none.
    package var will: StoredWill?

    /// Where a device is when nobody speaks (MQTT-SN 1.2 §6.14).
    package enum State: UInt8 {
        case active, asleep, disconnected, lost
    }

    /// A will without the properties of MQTT 5.
    package struct StoredWill: Equatable {
        package var topic: ByteView
        package var payload: ByteView
        package var qos: QoS
        package var retain: Bool

        package init(topic: ByteView, payload: ByteView, qos: QoS, retain: Bool) {
            self.topic = topic
            self.payload = payload
            self.qos = qos
            self.retain = retain
        }
    }

    package init(
        device: UInt32, clientID: ByteView, state: State, path: ByteView, nodeID: ByteView, isBound: Bool,
        hadWill: Bool, cleanSession: Bool, keepAlive: UInt16, sleepDuration: UInt16, sessionExpiryInterval: UInt32,
        awaySince: Int64?, will: StoredWill?
    ) {
        self.device = device
        self.clientID = clientID
        self.state = state
        self.path = path
        self.nodeID = nodeID
        self.isBound = isBound
        self.hadWill = hadWill
        self.cleanSession = cleanSession
        self.keepAlive = keepAlive
        self.sleepDuration = sleepDuration
        self.sessionExpiryInterval = sessionExpiryInterval
        self.awaySince = awaySince
        self.will = will
    }
}

/// A topic that a device knows by a normal id, a predefined id or a short name (MQTT-SN 1.2 §5.3.4).
package struct DeviceTopicRecord: Equatable {
    package var device: UInt32
    /// TopicIdType.
    package var type: UInt8
    package var id: UInt16
    package var topic: ByteView
    /// Of a normal id: what the gateway believes that the device knows of it, in the gateway's own words.
    package var knowledge: UInt8
    /// Whether the topic is one of the server's own.
    package var isServers: Bool

    package init(device: UInt32, type: UInt8, id: UInt16, topic: ByteView, knowledge: UInt8, isServers: Bool) {
        self.device = device
        self.type = type
        self.id = id
        self.topic = topic
        self.knowledge = knowledge
        self.isServers = isServers
    }
}
