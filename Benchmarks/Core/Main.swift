import Bytes
import Glibc

/// `bench-core WORKLOAD MESSAGES`: the engine alone, without sockets, so that each run of a workload executes the same
/// instructions. `Benchmarks/check` counts them.
@main
enum Main {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 3, let workload = Workload(rawValue: arguments[1]), let count = Int(arguments[2]),
            count > 0, count.isMultiple(of: Workload.batch)
        else {
            let names = Workload.allCases.map { $0.rawValue }.joined(separator: "|")
            return print("bench-core \(names) MESSAGES, a multiple of \(Workload.batch)")
        }
        var bench = Bench(workload)
        for _ in 0..<(count / Workload.batch) { bench.turn() }
        precondition(bench.delivered == count * workload.receivers, "\(bench.delivered) messages were delivered")
        bench.tearDown()
    }
}

/// What is sent, and to whom.
enum Workload: String, CaseIterable {
    /// One MQTT client to another.
    case mqttQoS0 = "mqtt-qos0"
    case mqttQoS1 = "mqtt-qos1"
    case mqttQoS2 = "mqtt-qos2"
    /// One MQTT client to a hundred, at QoS 0.
    case fanOut = "fan-out"
    /// A device to an MQTT client, at QoS 1.
    case uplink
    /// An MQTT client to a device, at QoS 1.
    case downlink

    /// Messages in a turn: what one read brings.
    static let batch = 20

    /// Deliveries of one message.
    var receivers: Int { self == .fanOut ? 100 : 1 }

    var qos: UInt8 {
        switch self {
        case .mqttQoS0, .fanOut: 0
        case .mqttQoS1, .uplink, .downlink: 1
        case .mqttQoS2: 2
        }
    }
}
