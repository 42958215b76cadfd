import Bytes
import Clockwork
import MQTTSNWire
import MQTTWire
import Messaging
import Support

/// One line of a script of devices, MQTT clients and time.
enum DeviceScript {
    /// Bytes from an address, as they are.
    case datagram(from: Int, ByteView)
    /// MsgType and what follows it: Length is written before it, so that it always fits.
    case message(from: Int, ByteView)
    /// The answer to what was last sent to the address: all is well, or as `code` says.
    case answer(from: Int, code: UInt8)
    case pass(Duration)
    case client(ClientStep)

    /// What the one MQTT client does, and what another one does under the name of a device.
    enum ClientStep {
        case publish(topic: Int, QoS, retain: Bool, count: Int)
        /// Acknowledges everything that it was sent.
        case acknowledge
        case disconnect
        /// Connects as the device of this number does.
        case takeOver(device: Int)
    }

    /// Where devices can be: two ports of a host, another host, and the same at the strict listener.
    static let paths: [DatagramPath] = [
        path(1, 1000, 0), path(1, 1001, 0), path(2, 1000, 0), path(1, 1000, 1), path(3, 1000, 1), path(3, 1001, 1),
    ]

    private static func path(_ host: UInt32, _ port: UInt16, _ listener: UInt16) -> DatagramPath {
        DatagramPath(remote: PeerAddress(ipv4: 0x0A00_0000 + host, port: port), listener: listener)
    }

    /// What topics are called, by devices and by clients.
    static let topics: [ByteString] = ["a", "b/c", "b/d", "ab", "p", "q/x", "c/e/f", "$SYS/a"]

    /// What the MQTT client that takes over calls itself.
    static let names: [ByteString] = ["x", "y", "s-x"]
}

/// Reads a script: a byte whose upper half says what to do and whose lower half says who, then an argument, and what
/// belongs to it.
struct DeviceScriptReader {
    private var rest: ByteView

    init(_ input: ByteView) { rest = input }

    mutating func next() -> DeviceScript? {
        guard rest.count >= 2 else { return nil }
        let (head, argument) = (rest[0], rest[1])
        let place = Int(head & 0x0F) % DeviceScript.paths.count
        rest = rest.dropFirst(2)
        switch head >> 4 {
        case 1: return .answer(from: place, code: argument)
        case 2: return .pass(.milliseconds(Int(argument) * Int(argument) * 10))
        case 3: return .client(clientStep(head & 0x0F, argument))
        case 4: return .datagram(from: place, take(argument))
        default: return .message(from: place, take(argument))
        }
    }

    private mutating func take(_ argument: UInt8) -> ByteView {
        let count = min(Int(argument), rest.count)
        defer { rest = rest.dropFirst(count) }
        return rest[0..<count]
    }

    private func clientStep(_ kind: UInt8, _ argument: UInt8) -> DeviceScript.ClientStep {
        switch kind {
        case 0: return .disconnect
        case 1: return .takeOver(device: Int(argument) % DeviceScript.names.count)
        case 2, 3: return .acknowledge
        default:
            let qos = QoS(rawValue: argument >> 4 & 0x03) ?? .atLeastOnce
            return .publish(
                topic: Int(argument & 0x07), qos, retain: argument & 0x08 != 0, count: kind == 4 ? 150 : Int(kind))
        }
    }
}

// MARK: - What to begin with

extension DeviceScript {
    /// The fixtures that clients send, each from a device that has connected, registered and subscribed; and the
    /// procedures of §6.
    static func seeds() throws -> [[UInt8]] {
        var seeds = try procedures.map { try script($0) }
        for vector in try FixtureNotation.vectors(in: "mqttsn") {
            let bytes = try FixtureNotation.bytes(vector.hex)
            guard bytes.count < 120 else { continue }
            seeds.append(try script(start) + [0x40, UInt8(bytes.count)] + bytes + publications + (try script(sleep)))
        }
        return seeds
    }

    /// A message, or a line of two bytes.
    private static func script(_ lines: [String]) throws -> [UInt8] {
        try lines.flatMap { line -> [UInt8] in
            let bytes = try FixtureNotation.bytes(line)
            return bytes.first == 0xFF ? Array(bytes.dropFirst()) : [0x00, UInt8(bytes.count)] + bytes
        }
    }

    /// CONNECT, REGISTER, three SUBSCRIBE.
    private static let start = [
        "04 00 01 000a 'x'", "0a 0000 0001 'b/c'", "12 20 0002 'b/c'", "12 40 0003 'b/+'", "12 21 0004 0001",
    ]
    /// The client publishes to what is subscribed to, and the device answers.
    private static let publications: [UInt8] = [0x35, 0x11, 0x10, 0, 0x35, 0x22, 0x10, 0, 0x10, 0, 0x10, 0, 0x10, 0]
    /// DISCONNECT with a duration, a message, PINGREQ, answers, and silence until the device is lost.
    private static let sleep = [
        "18 0014", "ff 35 11", "ff 35 22", "ff 20 20", "16 'x'", "ff 10 00", "ff 10 00", "ff 10 00", "ff 20 ff",
    ]

    private static let procedures: [[String]] = [
        start + sleep,
        // A will, its update, and its end.
        ["04 08 01 000a 'x'", "ff 10 00", "ff 10 00", "1a 20 'w'", "1c 'gone'", "1a", "ff 20 ff", "ff 20 ff"],
        // Publications at each quality, known topics and unknown ones.
        start + [
            "0c 00 0005 0000 'u'", "0c 20 0005 0007 'u'", "0c 40 0005 0008 'u'", "10 0008", "0c 20 0009 0009 'u'",
        ],
        start + ["0c 61 0001 0000 'u'", "0c 62 6162 0000 'u'", "0c 20 0005 0000 'u'"],
        // An address that changes, asleep and active; somebody else who claims the name.
        start + ["18 0014", "ff 35 11", "ff 01 02 16 'x'", "ff 11 00", "ff 01 06 04 00 01 000a 'x'", "ff 11 00"],
        start + ["ff 02 06 04 00 01 000a 'x'", "ff 20 10", "ff 20 20", "ff 20 20", "ff 12 00"],
        // Two devices, one behind the strict listener; the client takes the name of the other.
        start + [
            "ff 04 06 04 00 01 0014 'y'", "ff 04 05 12 20 0001 'p'", "ff 35 14", "ff 14 00", "ff 31 00", "ff 30 00",
        ],
        // Congestion, refusal, an id that is forgotten.
        start + ["ff 35 11", "ff 10 01", "ff 20 ff", "ff 10 00", "ff 35 11", "ff 10 02", "ff 10 00", "ff 10 03"],
        start + ["14 00 0009 'b/c'", "14 01 000a 0001", "18", "04 04 01 0000 'x'"],
    ]
}
