internal import Bytes
internal import MQTTSNWire
internal import Messaging

/// Datagrams sent between devices and the gateway, as they leave, lost ones included.
package struct Traffic {
    /// All of them.
    package private(set) var datagrams = 0
    /// Those that carry messages from devices, or acknowledge them: PUBLISH, REGISTER and what belongs to them, both
    /// ways. By quality; REGISTER is counted at QoS 0.
    package private(set) var carryingUp = [0, 0, 0]
    /// The same for messages to devices.
    package private(set) var carryingDown = [0, 0, 0]

    /// A device sends.
    mutating func noteUp(_ bytes: ByteString) {
        datagrams += 1
        bytes.withView { view in
            guard let packet = try? SNPacket.decode(view), let place = Self.place(of: packet) else { return }
            if place.isFromPublisher { carryingUp[place.qos] += 1 } else { carryingDown[place.qos] += 1 }
        }
    }

    /// The gateway sends.
    mutating func noteDown(_ bytes: ByteString) {
        datagrams += 1
        bytes.withView { view in
            guard let packet = try? SNPacket.decode(view), let place = Self.place(of: packet) else { return }
            if place.isFromPublisher { carryingDown[place.qos] += 1 } else { carryingUp[place.qos] += 1 }
        }
    }

    private static func place(of packet: SNPacket) -> (qos: Int, isFromPublisher: Bool)? {
        switch packet {
        case .register: (0, true)
        case .regack: (0, false)
        case .publish(let publish): (Int(publish.qos.quality.rawValue), true)
        case .puback: (1, false)
        case .pubrec, .pubcomp: (2, false)
        case .pubrel: (2, true)
        default: nil
        }
    }
}
