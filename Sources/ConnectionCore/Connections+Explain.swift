internal import Bytes
internal import MQTTWire

/// Reasons in words: MQTT 5.0 allows a Reason String on each answer that may carry an error.
///
/// The answers say nothing in User Properties: what there is to say is in the code and in the Reason String, and a
/// client that must find its way by names and values of ours would fit this server only.
extension Connections {
    /// Writes an answer with a Reason String and, where `code` sends the client elsewhere, with a Server Reference.
    ///
    /// Both are left out, the string first, where with them the packet would be longer than the client takes
    /// [MQTT-3.2.2-19] [MQTT-3.4.2-2] [MQTT-3.14.2-3]. With Request Problem Information 0 only CONNACK and
    /// DISCONNECT say more than their code [MQTT-3.1.2-29].
    ///
    /// - Parameter code: of a CONNACK or DISCONNECT; nil for the answers that a client may not want explained.
    mutating func explain(
        _ slot: Int, _ text: ReasonText, _ code: ReasonCode? = nil, _ body: (PropertyList, inout OutputBuffer) -> Void
    ) {
        scratch.truncate(to: 0)
        if connections[slot].version == .v5 {
            if let code, let redirection = limits.redirection, code == redirection.code {
                scratch.append(property: .serverReference, string: redirection.references)
            }
            let referenceBytes = scratch.count
            if code != nil || connections[slot].wantsProblemInformation {
                text.append(to: &scratch)
                let whole = PropertyList(raw: scratch.pending)
                if tryToWrite(slot, { body(whole, &$0) }) { return }
            }
            let reference = PropertyList(raw: scratch.pending[0..<referenceBytes])
            if tryToWrite(slot, { body(reference, &$0) }) { return }
        }
        write(slot) { body(PropertyList(), &$0) }
    }

    /// CONNACK with a reason.
    mutating func sendRefusal(_ slot: Int, _ code: ReasonCode, _ text: ReasonText) {
        let version = connections[slot].version
        explain(slot, text, code) { properties, output in
            ConnackPacket(sessionPresent: false, reasonCode: code, properties: properties)
                .encode(version: version, into: &output)
        }
    }
}

extension ServerRedirection {
    /// 0x9D for good, 0x9C for now (§4.11).
    var code: ReasonCode { isPermanent ? .serverMoved : .useAnotherServer }
}
