internal import Messaging

extension Field {
    /// What a field is made of, and what befalls it.
    package struct Plan: Sendable {
        package var devices = 1_000
        /// How long devices and clients have something to say.
        package var duration: Duration = .seconds(86_400)
        /// Datagrams lost, percent: each device has a link of its own between the two.
        package var loss: ClosedRange<UInt64> = 0...40
        /// Datagrams doubled, percent, at most.
        package var duplication: UInt64 = 10
        /// The longest time that a datagram is under way; less than half of T_retry, for exactly once at QoS 2 holds
        /// only as long as no copy of a PUBLISH outlives its handshake.
        package var delay: Duration = .milliseconds(1_500)
        /// How many of a hundred sleep most of the time.
        package var sleepers: UInt64 = 80
        /// Seconds between two wakes.
        package var sleeps: [UInt64] = [300, 600, 900, 1_800, 3_600]
        /// Seconds between two things that a device which does not sleep has to say.
        package var pause: UInt64 = 600
        /// Seconds between two messages to one device.
        package var commandPause: UInt64 = 3_600
        /// Whether devices lose their power, change their port, and clients their connection.
        package var hasAccidents = true
        /// When the gateway is restarted, in hundredths of the duration; killed and shut down by turns.
        package var restarts: [Int64] = [20, 45]
        /// How the gateway repeats itself; devices do the same.
        package var retryInterval: Duration = .seconds(5)
        package var retryCount = 4

        package init() {}

        /// Devices that only suffer from loss, with the gateway's own values for T_retry and N_retry: what the table
        /// of loss and delivery time is made of.
        package static func table(loss: UInt64) -> Plan {
            var plan = Plan()
            plan.devices = 200
            plan.duration = .seconds(6 * 3_600)
            plan.loss = loss...loss
            plan.duplication = 0
            plan.delay = .milliseconds(200)
            plan.sleepers = 50
            plan.sleeps = [300, 600, 900]
            plan.pause = 120
            plan.commandPause = 300
            plan.hasAccidents = false
            plan.restarts = []
            plan.retryInterval = .seconds(10)
            return plan
        }
    }

    /// What became of a field.
    package struct Outcome: Sendable {
        package let seed: UInt64
        /// The hash of all datagrams and bytes, with their times.
        package let hash: UInt64
        package let faults: [String]
        package let published: Int
        package let received: Int
        package let datagrams: Int
        package let steps: Int
        /// Wakes of sleeping devices, and those that ended because the device did not answer any more.
        package let wakes: Int
        package let silentWakes: Int
        /// Messages at QoS 2 that came under the MsgId of a handshake with the gateway before, which the device had not
        /// finished.
        package let swallowed: Int
        package let figures: [Figure]
    }

    /// How messages of one kind fared.
    package struct Figure: Sendable {
        package let kind: DeliveryKind
        package let messages: Int
        /// From publication, or from the wake after it, to delivery; milliseconds.
        package let median: Int
        package let percentile95: Int
        package let percentile99: Int
        /// Datagrams for each message delivered; both ways, lost ones included. 0 where it cannot be told.
        package let packets: Double
    }

    /// The ways of a message.
    package enum DeliveryKind: Int, CaseIterable, Sendable {
        case upQoS1, upQoS2, downQoS1, downQoS2, wakeQoS1, wakeQoS2

        /// What the table says.
        package var title: String {
            switch self {
            case .upQoS1: "from a device, QoS 1"
            case .upQoS2: "from a device, QoS 2"
            case .downQoS1: "to an active device, QoS 1"
            case .downQoS2: "to an active device, QoS 2"
            case .wakeQoS1: "to a sleeping device, QoS 1, from its wake on"
            case .wakeQoS2: "to a sleeping device, QoS 2, from its wake on"
            }
        }

        init?(isUp: Bool, wasAsleep: Bool, _ qos: QoS) {
            switch (qos, isUp, wasAsleep) {
            case (.atMostOnce, _, _): return nil
            case (.atLeastOnce, true, _): self = .upQoS1
            case (.exactlyOnce, true, _): self = .upQoS2
            case (.atLeastOnce, false, false): self = .downQoS1
            case (.exactlyOnce, false, false): self = .downQoS2
            case (.atLeastOnce, false, true): self = .wakeQoS1
            case (.exactlyOnce, false, true): self = .wakeQoS2
            }
        }
    }
}
