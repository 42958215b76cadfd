import ArgumentParser
import Bytes
import MQTTSNWire
import MQTTWire

/// `dormouse decode`: says what bytes from a trace mean.
struct Decode: ParsableCommand {
    /// The protocol that the bytes are in.
    enum Dialect: String, ExpressibleByArgument, CaseIterable {
        case mqttsn, mqtt5, mqtt311, mqtt31
    }

    static let configuration = CommandConfiguration(
        abstract: "Say what an MQTT or MQTT-SN packet means, given in hexadecimal.")

    @Option(name: .shortAndLong, help: "mqttsn, mqtt5, mqtt311 or mqtt31.")
    var `protocol`: Dialect = .mqttsn

    @Argument(help: "The bytes; spaces, colons and | are passed over.")
    var hex: [String]

    func run() throws {
        let bytes = try bytes()
        try bytes.withView { view in
            switch `protocol` {
            case .mqttsn: try decodeSN(view)
            case .mqtt5: try decodeMQTT(view, .v5)
            case .mqtt311: try decodeMQTT(view, .v3_1_1)
            case .mqtt31: try decodeMQTT(view, .v3_1)
            }
        }
    }

    private func bytes() throws -> ByteString {
        let digits = hex.joined().utf8.filter { !" :|\n\t".utf8.contains($0) }
        guard digits.count.isMultiple(of: 2) else { throw Failure.usage("an odd number of hexadecimal digits") }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            let pair = String(decoding: digits[index..<index + 2], as: UTF8.self)
            guard let byte = UInt8(pair, radix: 16) else { throw Failure.usage("'\(pair)' is not hexadecimal") }
            bytes.append(byte)
        }
        return ByteString(bytes)
    }

    private func decodeSN(_ view: ByteView) throws {
        do throws(SNDecodeError) {
            let packet = try SNPacket.decode(view)
            Console.output(packet.description)
            // What a forwarder wraps is a message too; depth one, as in the gateway [D-63].
            if case .encapsulated(_, _, let message) = packet {
                Console.output("  " + (try SNPacket.decode(message).description))
            }
        } catch {
            throw Failure.runtime("malformed: \(error)")
        }
    }

    private func decodeMQTT(_ view: ByteView, _ version: ProtocolVersion) throws {
        var rest = view
        do throws(MQTTDecodeError) {
            while let frame = try MQTTFrame.next(in: rest, maximumPacketSize: 268_435_460) {
                Console.output(String(describing: try MQTTPacket.decode(frame, version: version)))
                rest = rest.dropFirst(frame.byteCount)
            }
        } catch {
            throw Failure.runtime("malformed: \(error)")
        }
        if !rest.isEmpty { throw Failure.runtime("incomplete: \(rest.count) bytes left") }
    }
}
