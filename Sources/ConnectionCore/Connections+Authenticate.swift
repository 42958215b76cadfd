internal import Authentication
internal import Bytes
internal import Clockwork
internal import MQTTWire
internal import Messaging

/// Enhanced authentication: MQTT 5.0 §4.12. What a method says is `Authentication`'s; which packets carry it, and what
/// its verdict means for the connection, is decided here.
extension Connections {
    /// CONNECT named a method: nothing of the session is touched before the client has shown who it is (attack
    /// case 37).
    mutating func beginAuthentication(
        _ method: AuthenticationMethod, of pending: Connection.PendingConnect, _ packet: ConnectPacket, _ slot: Int,
        now: Now, into effects: inout [ConnectionEffect]
    ) -> LinkRequest? {
        connections[slot].state = .authenticating(pending)
        connections[slot].identity = Connection.Identity(
            method: method, exchange: exchange(method, slot), countsSince: now.instant)
        return proceed(slot, packet.properties.view(.authenticationData), pending, into: &effects)
    }

    private mutating func exchange(_ method: AuthenticationMethod, _ slot: Int) -> AuthenticationExchange? {
        guard let users = rules(of: slot).scramUsers, let nonce = nonces.next() else { return nil }
        return AuthenticationExchange(method, users: users, nonce: nonce)
    }

    /// A packet between CONNECT and CONNACK: only AUTH and DISCONNECT may come [MQTT-3.1.2-30].
    mutating func received(
        _ frame: MQTTFrame, _ slot: Int, before pending: Connection.PendingConnect,
        into effects: inout [ConnectionEffect]
    ) throws(Violation) -> LinkRequest? {
        guard frame.type == .auth || frame.type == .disconnect else { throw .protocolError }
        switch try decoding({ () throws(MQTTDecodeError) in try MQTTPacket.decode(frame, version: .v5) }) {
        case .auth(let packet):
            try checkMethod(of: packet, slot)
            guard packet.reasonCode == .continueAuthentication else { throw .protocolError }  // [MQTT-4.12.0-3]
            return proceed(slot, packet.properties.view(.authenticationData), pending, into: &effects)
        case .disconnect:
            close(slot, .disconnected, into: &effects)
            return nil
        default: throw .protocolError
        }
    }

    /// The next step towards CONNACK.
    private mutating func proceed(
        _ slot: Int, _ data: ByteView?, _ pending: Connection.PendingConnect,
        into effects: inout [ConnectionEffect]
    ) -> LinkRequest? {
        switch step(slot, data, into: &effects) {
        case .challenge(let data):
            sendAuth(slot, .continueAuthentication, data)  // [MQTT-4.12.0-2]
            if connections[slot].isUnanswerable { refuse(slot, .packetTooLarge, into: &effects) }
            return nil
        case .authenticated(let userName, let data):
            if let named = pending.userName, named != userName {
                refuse(slot, .badUserNameOrPassword, into: &effects)  // [M-40]
                return nil
            }
            connections[slot].identity?.userName = userName
            effects.append(.log(slot: slot, .authenticated(connections[slot].clientID, userName: userName)))
            var (session, offer) = (pending.session, pending.offer)
            session.userName = connections[slot].transportIdentity ?? userName
            offer.authenticationData = data
            return attach(slot, session, offer)
        case .failed:
            refuse(slot, .notAuthorized, into: &effects)  // [MQTT-4.12.0-4]
            return nil
        }
    }

    /// AUTH after CONNACK: the client shows again who it is, while everything else goes on (§4.12.1).
    mutating func reauthenticationReceived(
        _ packet: AuthPacket, _ slot: Int, now: Now, into effects: inout [ConnectionEffect]
    ) throws(Violation) {
        try checkMethod(of: packet, slot)
        guard let identity = connections[slot].identity else { throw .protocolError }
        switch (packet.reasonCode, identity.exchange) {
        case (.reAuthenticate, nil):
            guard takesReauthentication(slot, now: now) else {
                return fail(slot, .messageRateTooHigh, .violated(.messageRateTooHigh), into: &effects)  // [M-43]
            }
            let exchange = exchange(identity.method, slot)
            connections[slot].identity?.exchange = exchange
        case (.continueAuthentication, .some): break
        // Only servers say that all is well; and one exchange ends before the next [M-42].
        default: throw .protocolError
        }
        switch step(slot, packet.properties.view(.authenticationData), into: &effects) {
        case .challenge(let data): sendAuth(slot, .continueAuthentication, data)
        case .authenticated(identity.userName, let data):
            let (clientID, userName) = (connections[slot].clientID, identity.userName ?? ByteString())
            effects.append(.log(slot: slot, .authenticated(clientID, userName: userName)))
            sendAuth(slot, .success, data)
        case .authenticated, .failed:
            // Whoever is another user by now takes a connection of its own [M-42].
            return fail(slot, .notAuthorized, .refused(.notAuthorized), into: &effects)  // [MQTT-4.12.1-2]
        }
        endIfUnanswerable(slot, into: &effects)
    }

    /// Each AUTH names the method of CONNECT, and there is none where CONNECT had no method [MQTT-4.12.0-5]
    /// [MQTT-4.12.0-7] [MQTT-4.12.1-1].
    private func checkMethod(of packet: AuthPacket, _ slot: Int) throws(Violation) {
        guard let method = packet.properties.view(.authenticationMethod),
            connections[slot].identity?.method.name.withView({ $0 == method }) == true
        else { throw .protocolError }
    }

    /// Whether the client may begin once more in this minute (attack case 28).
    private mutating func takesReauthentication(_ slot: Int, now: Now) -> Bool {
        guard var identity = connections[slot].identity else { return false }
        if identity.countsSince + .seconds(60) <= now.instant {
            identity.countsSince = now.instant
            identity.count = 0
        }
        identity.count += 1
        connections[slot].identity = identity
        return identity.count <= limits.reauthenticationsPerMinuteMax
    }

    /// Lets the exchange hear what the client says. One that has come to its end is forgotten.
    private mutating func step(
        _ slot: Int, _ data: ByteView?, into effects: inout [ConnectionEffect]
    ) -> AuthenticationStep {
        let step =
            connections[slot].identity?.exchange?.receive(data)
            ?? .failed(.digestUnavailable)  // Without a nonce no exchange began.
        switch step {
        case .challenge: return step
        case .authenticated: break
        case .failed(let failure):
            counters.authenticationsFailed += 1
            effects.append(.log(slot: slot, .authenticationFailed(connections[slot].clientID, failure)))
        }
        connections[slot].identity?.exchange = nil
        return step
    }

    private mutating func sendAuth(_ slot: Int, _ code: ReasonCode, _ data: ByteString?) {
        guard let method = connections[slot].identity?.method else { return }
        scratch.truncate(to: 0)
        appendAuthentication(method, data)
        send(.auth(AuthPacket(reasonCode: code, properties: PropertyList(raw: scratch.pending))), to: slot)
    }

    /// Method and data, as AUTH and CONNACK have them [MQTT-4.12.0-5].
    mutating func appendAuthentication(_ method: AuthenticationMethod, _ data: ByteString?) {
        scratch.append(property: .authenticationMethod, string: method.name)
        if let data { scratch.append(property: .authenticationData, string: data) }
    }

    /// A fault before CONNACK, which then says so: DISCONNECT has no place here [MQTT-3.14.0-1].
    mutating func rejectUnauthenticated(
        _ slot: Int, _ code: ReasonCode, _ text: ReasonText, into effects: inout [ConnectionEffect]
    ) {
        counters.violations += 1
        sendRefusal(slot, code, text)
        effects.append(.log(slot: slot, .ended(connections[slot].clientID, .violated(code))))
        stop(slot)
    }
}
