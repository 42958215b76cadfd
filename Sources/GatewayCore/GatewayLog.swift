package import MQTTSNWire
package import Messaging

/// What the gateway has to say about its devices, for logs and for `$SYS`.
package enum GatewayLog: Equatable, Sendable {
    case connected(ClientID, at: DeviceAddress, sessionPresent: Bool)
    /// The device said goodbye, or the broker ended its link for the reason given.
    case disconnected(ClientID, CloseReason?)
    /// Seconds of sleep that the device announced.
    case fellAsleep(ClientID, seconds: UInt16)
    /// Nothing heard, or no answer after all retries.
    case lost(ClientID)
    /// CONNECT was answered with this code.
    case refused(ClientID, at: DeviceAddress, SNReturnCode)
    /// The device is now reached at another address [D-13] [D-15].
    case moved(ClientID, to: DeviceAddress)
    /// Somebody else claimed the client id while its owner answered [D-15].
    case claimRejected(ClientID, at: DeviceAddress)
    /// The device refused this topic id: its topic is not delivered any more [D-06] [D-07].
    case topicRefused(ClientID, topicID: UInt16, SNReturnCode)
    /// The device does not know a predefined topic id that it subscribed to [D-07].
    case predefinedTopicRefused(ClientID, topicID: UInt16, SNReturnCode)
    /// A delivery was longer than the device's listener allows: bytes needed [D-43].
    case tooLong(ClientID, bytes: Int)
    /// Another gateway in one of our groups has our GwId [D-68].
    case gatewayIDTaken(UInt8, by: DatagramPath)
    /// The device's topic table is full.
    case topicTableFull(ClientID)
    /// An encapsulated message came from an address that is no forwarder's; once a second at most [D-48].
    case forwarderRefused(DeviceAddress)
    /// There are as many devices behind the forwarder as there may be, and one more came; once a second at most [D-90].
    case forwarderFull(DeviceAddress, devices: Int)
    /// The client id is none that its listener takes, or another user's; once a second at most [D-120] [D-121].
    case clientRefused(ClientID, at: DeviceAddress)
    /// A message came from outside of the listener's networks; once a second at most [D-120].
    case outsiderIgnored(DeviceAddress)
    /// A forwarder's Wireless Node Id has so many bytes, more than are taken; once a second at most [D-60].
    case nodeIDTooLong(DeviceAddress, bytes: Int)
}
