import Bytes
import Clockwork
import MQTTSNWire
import Messaging

/// Random packets that a peer of ours could send, drawn from a seed. It owns the memory that they look at.
final class SNPacketGenerator {
    private var random: SeededGenerator
    private var blocks: [UnsafeMutableRawBufferPointer] = []

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
    }

    deinit {
        for block in blocks { block.deallocate() }
    }

    /// A packet of the type, its fields anywhere in their range.
    func packet(_ type: SNMessageType) -> SNPacket {
        switch type {
        case .advertise: .advertise(gwID: octet(), duration: number())
        case .searchGW: .searchGW(radius: octet())
        case .gwInfo: .gwInfo(gwID: octet(), gwAdd: bytes())
        case .connect:
            .connect(
                SNConnect(
                    will: flip(), cleanSession: flip(), protocolID: octet(), duration: number(), clientID: text()))
        case .connack: .connack(returnCode())
        case .willTopicReq: .willTopicReq
        case .willTopic: .willTopic(willTopic())
        case .willMsgReq: .willMsgReq
        case .willMsg: .willMsg(bytes())
        case .register: .register(topicID: number(), msgID: number(), topicName: text())
        case .regack: .regack(topicID: number(), msgID: number(), returnCode())
        case .publish: .publish(publish())
        case .puback: .puback(topicID: number(), msgID: number(), returnCode())
        case .pubcomp: .pubcomp(msgID: number())
        case .pubrec: .pubrec(msgID: number())
        case .pubrel: .pubrel(msgID: number())
        case .subscribe: .subscribe(SNSubscribe(dup: flip(), qos: qos(), msgID: number(), topic: topic()))
        case .suback: .suback(qos: qos(), topicID: number(), msgID: number(), returnCode())
        case .unsubscribe: .unsubscribe(SNSubscribe(msgID: number(), topic: topic()))
        case .unsuback: .unsuback(msgID: number())
        case .pingreq: .pingreq(clientID: text())
        case .pingresp: .pingresp
        case .disconnect: .disconnect(duration: flip() ? number() : nil)
        case .willTopicUpd: .willTopicUpd(willTopic())
        case .willTopicResp: .willTopicResp(returnCode())
        case .willMsgUpd: .willMsgUpd(bytes())
        case .willMsgResp: .willMsgResp(returnCode())
        case .encapsulated:
            .encapsulated(
                radius: octet() & 0b11, wirelessNodeID: bytes(1 + below(252)), message: bytes(1 + below(600)))
        }
    }

    /// The bytes with one to four random changes: an octet replaced, put in, taken out, or the end cut.
    func mutated(_ original: [UInt8]) -> [UInt8] {
        var result = original
        for _ in 0...below(4) {
            switch below(4) {
            case 0 where !result.isEmpty: result[below(result.count)] = octet()
            case 1: result.insert(octet(), at: below(result.count + 1))
            case 2 where !result.isEmpty: result.remove(at: below(result.count))
            default: result.removeLast(below(result.count + 1))
            }
        }
        // Half of the time Length is made right, so that the change is seen by what lies behind it.
        if flip(), let first = result.first, first != 0x01, result.count <= 255 { result[0] = UInt8(result.count) }
        return result
    }

    private func publish() -> SNPublish {
        let levels: [SNQoS] = [.zero, .one, .two, .minusOne]
        let types: [SNTopicIDType] = [.normal, .predefined, .short, .reserved]
        let qos = levels[below(4)]
        let type = types[below(4)]
        return SNPublish(
            dup: flip(), qos: qos, retain: flip(), topicIDType: type, topicID: type == .short ? shortName() : number(),
            msgID: qos == .one || qos == .two ? number() : 0, data: bytes())
    }

    private func willTopic() -> SNWillTopic? {
        flip() ? SNWillTopic(qos: qos(), retain: flip(), topic: text()) : nil
    }

    private func topic() -> SNSubscribe.Topic {
        switch below(4) {
        case 0: .name(text())
        case 1: .predefined(number())
        case 2: .short(shortName())
        default: .reserved
        }
    }

    private func shortName() -> UInt16 {
        if flip() { return UInt16(1 + below(127)) << 8 | UInt16(1 + below(127)) }
        return UInt16(0xC2 + below(30)) << 8 | UInt16(0x80 + below(64))
    }

    /// UTF-8 without U+0000: none, short, or around the length where Length grows.
    private func text() -> ByteView {
        var bytes: [UInt8] = []
        let count = length()
        while bytes.count < count {
            let ranges: [Range<Int>] = [1..<0x80, 0x80..<0x800, 0x800..<0xD800, 0xE000..<0x10000, 0x10000..<0x110000]
            let range = ranges[below(ranges.count)]
            let value = UInt32(range.lowerBound + below(range.count))
            guard let scalar = Unicode.Scalar(value) else { continue }
            bytes += Array(String(Character(scalar)).utf8)
        }
        return view(bytes)
    }

    private func bytes() -> ByteView { bytes(length()) }

    private func bytes(_ count: Int) -> ByteView { view((0..<count).map { _ in octet() }) }

    private func length() -> Int {
        switch below(4) {
        case 0: 0
        case 1: below(20)
        case 2: 236 + below(30)
        default: below(1000)
        }
    }

    private func view(_ bytes: [UInt8]) -> ByteView {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        block.copyBytes(from: bytes)
        blocks.append(block)
        return ByteView(UnsafeRawBufferPointer(block))
    }

    private func qos() -> QoS { QoS(rawValue: UInt8(below(3))) ?? .atMostOnce }
    private func returnCode() -> SNReturnCode { SNReturnCode(rawValue: octet()) }
    private func octet() -> UInt8 { UInt8(below(256)) }
    private func number() -> UInt16 { UInt16(below(65536)) }
    private func flip() -> Bool { below(2) == 0 }
    func below(_ bound: Int) -> Int { Int(random.below(UInt64(bound))) }
}
