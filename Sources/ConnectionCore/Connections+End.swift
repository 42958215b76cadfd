internal import Bytes
internal import Clockwork
internal import MQTTWire
internal import Messaging

extension Connections {
    /// The client sent what cannot be read, or must not be sent: it hears the reason where its version has words for
    /// it, and the connection ends (MQTT 5.0 §4.13, 3.1.1 §4.8).
    mutating func reject(_ slot: Int, _ violation: Violation, into effects: inout [ConnectionEffect]) {
        let code = ReasonCode(violation)
        let text = ReasonText(
            violation, topicAliasMax: connections[slot].topicAliasMax, qosMax: connections[slot].qosMax.rawValue,
            limits)
        if case .opened = connections[slot].state {
            counters.violations += 1
            if case .badConnect(let error, let version) = violation { answerBadConnect(slot, error, version, text) }
            effects.append(.log(slot: slot, .ended(nil, .violated(code))))
            return stop(slot)
        }
        if case .authenticating = connections[slot].state {
            return rejectUnauthenticated(slot, code, text, into: &effects)
        }
        fail(slot, code, .violated(code), text, into: &effects)
    }

    /// A CONNECT that cannot be read: MQTT 5 clients hear why (5.0 §3.1.4), those before it do not
    /// [MQTT311-3.1.4-1]. A wrong protocol level has an answer that any client can read [MQTT-3.1.2-2] [M-03].
    private mutating func answerBadConnect(
        _ slot: Int, _ error: MQTTDecodeError, _ version: ProtocolVersion?, _ text: ReasonText
    ) {
        guard version == .v5 || error == .unsupportedProtocolVersion else { return }
        connections[slot].version = version ?? .v3_1_1
        sendRefusal(slot, ReasonCode(error), text)
    }

    /// Ends a connection that has a session: DISCONNECT with the reason, and the will goes out [MQTT-3.1.2-8].
    mutating func fail(
        _ slot: Int, _ code: ReasonCode, _ end: ConnectionEnd, _ text: ReasonText? = nil,
        into effects: inout [ConnectionEffect]
    ) {
        switch end {
        case .violated: counters.violations += 1
        case .keepAliveTimedOut: counters.keepAliveTimeouts += 1
        case .disconnected, .lost, .carrier, .connectTimedOut, .refused, .closed, .readsTooSlowly: break
        }
        sayDisconnect(slot, code, text)
        close(slot, end, into: &effects)
    }

    /// Ends a connection without a word.
    mutating func close(_ slot: Int, _ end: ConnectionEnd, into effects: inout [ConnectionEffect]) {
        var clientID: ClientID?
        switch connections[slot].state {
        case .free, .closing: return
        case .opened:
            if end == .connectTimedOut { counters.connectTimeouts += 1 }
        case .authenticating, .verifying:
            clientID = connections[slot].clientID
            if end == .connectTimedOut { counters.connectTimeouts += 1 }
        case .attaching, .connected:
            clientID = connections[slot].clientID
            effects.append(.request(.connection(slot), .detach(Farewell(publishesWill: true))))
        }
        effects.append(.log(slot: slot, .ended(clientID, end)))
        stop(slot)
    }

    /// Nothing more is read or sent but what waits; then the socket closes.
    mutating func stop(_ slot: Int) {
        connections[slot].state = .closing
        timers.cancel(slot)
        closing.append(slot)
    }

    /// DISCONNECT from the server: MQTT 5 only (§3.14).
    mutating func sayDisconnect(_ slot: Int, _ code: ReasonCode, _ text: ReasonText? = nil) {
        guard case .connected = connections[slot].state, connections[slot].version == .v5 else { return }
        explain(slot, text ?? ReasonText(code, in: .disconnect, limits), code) { properties, output in
            DisconnectPacket(reasonCode: code, properties: properties).encode(version: .v5, into: &output)
        }
    }

    /// Ends a connection whose client asks but does not read, since its output would grow for ever, and one whose
    /// Maximum Packet Size is too small for an answer that it must get [M-02].
    mutating func endIfUnanswerable(_ slot: Int, into effects: inout [ConnectionEffect]) {
        guard case .connected = connections[slot].state else { return }
        if connections[slot].isUnanswerable {
            return fail(slot, .packetTooLarge, .violated(.packetTooLarge), into: &effects)
        }
        guard connections[slot].output.count > 2 * limits.outputBytesMax + 2 * limits.packetBytesMax else { return }
        counters.readsTooSlowly += 1
        close(slot, .readsTooSlowly, into: &effects)
    }

    mutating func send(_ packet: MQTTPacket, to slot: Int) {
        let version = connections[slot].version
        write(slot) { packet.encode(version: version, into: &$0) }
    }

    /// Writes one packet, unless it is longer than the client takes [MQTT-3.1.2-24].
    mutating func write(_ slot: Int, _ body: (inout OutputBuffer) -> Void) {
        if !tryToWrite(slot, body) { connections[slot].isUnanswerable = true }
    }

    /// `write`; false if the packet is too long and was not written.
    mutating func tryToWrite(_ slot: Int, _ body: (inout OutputBuffer) -> Void) -> Bool {
        let before = connections[slot].output.count
        body(&connections[slot].output)
        let written = connections[slot].output.count - before
        guard written <= connections[slot].packetBytesMax else {
            connections[slot].output.truncate(to: before)
            return false
        }
        counters.packetsSent += 1
        counters.bytesSent += UInt64(written)
        markDirty(slot)
        return true
    }

    mutating func markDirty(_ slot: Int) {
        guard !connections[slot].isDirty else { return }
        connections[slot].isDirty = true
        dirty.append(slot)
    }
}
