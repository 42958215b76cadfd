internal import Clockwork

/// How long deliveries took, and what they cost.
struct FieldTimes {
    private var milliseconds = [[UInt32]](repeating: [], count: Field.DeliveryKind.allCases.count)

    mutating func note(_ kind: Field.DeliveryKind, from start: Instant, to end: Instant) {
        milliseconds[kind.rawValue].append(UInt32(clamping: end.since(start).wholeNanoseconds / 1_000_000))
    }

    /// Sorted out, with the packets that carried them; those to active and sleeping devices cannot be told apart.
    func figures(_ traffic: Traffic) -> [Field.Figure] {
        Field.DeliveryKind.allCases.map { kind in
            let times = milliseconds[kind.rawValue].sorted()
            func percentile(_ percent: Int) -> Int {
                times.isEmpty ? 0 : Int(times[min(times.count - 1, times.count * percent / 100)])
            }
            return Field.Figure(
                kind: kind, messages: times.count, median: percentile(50), percentile95: percentile(95),
                percentile99: percentile(99), packets: packets(kind, traffic))
        }
    }

    private func packets(_ kind: Field.DeliveryKind, _ traffic: Traffic) -> Double {
        func count(_ kinds: Field.DeliveryKind...) -> Double {
            Double(max(1, kinds.reduce(0) { $0 + milliseconds[$1.rawValue].count }))
        }
        return switch kind {
        case .upQoS1: Double(traffic.carryingUp[1]) / count(.upQoS1)
        case .upQoS2: Double(traffic.carryingUp[2]) / count(.upQoS2)
        case .downQoS1, .wakeQoS1: Double(traffic.carryingDown[1]) / count(.downQoS1, .wakeQoS1)
        case .downQoS2, .wakeQoS2: Double(traffic.carryingDown[2]) / count(.downQoS2, .wakeQoS2)
        }
    }
}
