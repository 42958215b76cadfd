internal import Bytes
package import Clockwork
internal import MQTTSNWire
package import Messaging

/// The MQTT-SN 1.2 gateway: what devices say goes in, what must be sent and asked comes out (§6).
package struct Gateway {
    /// What has been counted.
    package private(set) var counters = Counters()

    package init(configuration: Configuration, seed: UInt64) {}

    /// Takes one event and appends what must happen because of it.
    package mutating func handle(_ event: Event, now: Now, into effects: inout [Effect]) {}

    /// When to call `advance`; nil if only an event can change anything.
    package var nextDeadline: Deadline? { nil }

    /// Does what is due at `now`.
    package mutating func advance(to now: Now, into effects: inout [Effect]) {}

    /// Where the device in `slot` is reached; nil if there is none.
    package func path(of slot: Int) -> DatagramPath? { nil }

    /// The client id of the device in `slot`, as the broker knows it.
    package func clientID(of slot: Int) -> ClientID? { nil }

    /// The state of the device in `slot`.
    package func state(of slot: Int) -> DeviceState? { nil }
}

/// The states of a device: §6.14, and the time before CONNECT is answered.
package enum DeviceState: Equatable, Sendable, CaseIterable {
    case connecting, active, asleep, awake, disconnected, lost
}
