internal import Bytes
internal import MQTTWire
internal import Messaging

/// What a client asks for in CONNECT beside its session, and what the operator asks of all.
extension Connections {
    /// Remembers what the client takes and wants to hear (MQTT 5.0 §3.1.2.11).
    mutating func noteWishes(of packet: ConnectPacket, _ slot: Int) {
        guard packet.version == .v5 else { return }
        let properties = packet.properties
        let aliasMax = min(properties.uint16(.topicAliasMaximum) ?? 0, rules(of: slot).outgoingAliasMax)
        connections[slot].outgoing = OutgoingAliases(countMax: aliasMax)  // [MQTT-3.1.2-26] [MQTT-3.1.2-27]
        connections[slot].wantsProblemInformation = properties.byte(.requestProblemInformation) != 0
        connections[slot].wantsResponseInformation = properties.byte(.requestResponseInformation) == 1
    }

    /// Where the operator sends all clients elsewhere, the code that says so (§4.11).
    func redirection(of slot: Int) -> ReasonCode? {
        guard let redirection = limits.redirection, redirection.refusesNewClients else { return nil }
        return redirection.code
    }

    /// Where the client's response topics may begin, if it asked [MQTT-3.1.2-28] and the operator has said so. A
    /// client whose id cannot be one level of a topic hears nothing, where the id is part of it [M-30].
    func responseInformation(of slot: Int) -> ByteString? {
        guard connections[slot].wantsResponseInformation, !limits.responseInformation.isEmpty else { return nil }
        let clientID = connections[slot].clientID
        let percentC = Array("%c".utf8)
        let slash = UInt8(ascii: "/")
        var levels = limits.responseInformation.bytes.split(separator: slash, omittingEmptySubsequences: false)
        for index in levels.indices where levels[index].elementsEqual(percentC) {
            guard clientID.withView({ !$0.hasWildcard }), !clientID.bytes.contains(slash) else { return nil }
            levels[index] = clientID.bytes[...]
        }
        let text = ByteString(Array(levels.joined(separator: [slash])))
        return text.count <= Int(UInt16.max) ? text : nil
    }

    /// Whether a payload is what its Payload Format Indicator says, as far as the operator has it checked
    /// (§3.3.2.3.2).
    func isPayloadFormatValid(_ indicator: UInt8?, _ payload: ByteView) -> Bool {
        guard limits.checksPayloadFormat, indicator == 1 else { return true }
        return payload.isUTF8
    }

    /// 0x99 where there is an answer to say it in; at QoS 0 it ends the connection (§3.3.2.3.2, §4.13).
    mutating func refusePayloadFormat(_ packet: PublishPacket, _ slot: Int) throws(Violation) {
        switch packet.qos {
        case .atMostOnce: throw .payloadFormatInvalid
        case .atLeastOnce: acknowledge(.puback, packet.packetIdentifier, .payloadFormatInvalid, slot)
        case .exactlyOnce: acknowledge(.pubrec, packet.packetIdentifier, .payloadFormatInvalid, slot)
        }
    }
}
