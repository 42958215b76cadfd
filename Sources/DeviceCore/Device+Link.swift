internal import Bytes
internal import Clockwork
internal import MQTTSNWire
internal import Messaging

/// The connection: CONNECT and the will (§6.2), keep-alive (§6.11), DISCONNECT (§6.12), sleep (§6.14), and what is
/// repeated (§6.13).
extension Device {
    mutating func connect(_ connect: Connect) {
        session = connect
        if connect.cleanSession { endSession() }
        if connect.cleanSession || !settings.keepsTopicIDs { forgetTopicIDs() }
        state = .connecting
        transmit()
        supervise()
    }

    mutating func connackReceived(_ code: SNReturnCode) {
        guard state == .connecting else { return }
        retry = nil
        guard code == .accepted else {
            state = .disconnected
            effects.append(.refused(code))
            return
        }
        state = .active
        effects.append(.connected)
        proceed()
    }

    mutating func willTopicReqReceived() {
        guard state == .connecting else { return }
        guard let will = session?.will else {
            send(.willTopic(nil))
            return supervise()
        }
        will.topic.withView { topic in
            _ = send(.willTopic(SNWillTopic(qos: will.qos, retain: will.retain, topic: topic)))
        }
        supervise()
    }

    mutating func willMsgReqReceived() {
        guard state == .connecting, let will = session?.will else { return }
        will.payload.withView { payload in _ = send(.willMsg(payload)) }
        supervise()
    }

    // MARK: - Keep-alive

    /// When the gateway must hear of the device again (§6.11).
    var keepAliveDue: Instant? {
        guard state == .active, let seconds = session?.keepAlive, seconds > 0, work.first?.kind != .ping else {
            return nil
        }
        return lastSentAt + .seconds(Int64(seconds))
    }

    /// Asks whether the gateway is there. What is already being asked tells as much, so it is repeated instead.
    mutating func ping() {
        guard state == .active else { return }
        if let first = work.first, first.restUntil == nil {
            if first.kind != .ping { transmit() }
            return
        }
        work.insert(Work(token: 0, kind: .ping), at: 0)
        proceed()
    }

    mutating func pingreqReceived() {
        switch state {
        case .active, .awake, .leaving: send(.pingresp)  // [SN-6.11]
        case .disconnected, .connecting, .asleep: break
        }
    }

    mutating func pingrespReceived() {
        switch state {
        case .awake:
            retry = nil
            state = .asleep
            effects.append(.fellAsleep)
        case .active:
            guard work.first?.kind == .ping else { return }
            effects.append(.ponged)
            finish(nil)
        case .disconnected, .connecting, .leaving, .asleep: break
        }
    }

    // MARK: - Sleep and farewell

    mutating func leave(sleepSeconds: UInt16?) {
        guard state != .disconnected else { return }
        state = .leaving(sleepSeconds: sleepSeconds == 0 ? nil : sleepSeconds)
        transmit()
        supervise()
    }

    mutating func wake() {
        guard state == .asleep else { return }
        state = .awake
        transmit()
        supervise()
    }

    /// A message other than PINGRESP shows that the gateway is there: the wait for PINGRESP starts again (§6.14).
    mutating func heardWhileAwake() {
        if state == .awake { supervise() }
    }

    mutating func disconnectReceived() {
        switch state {
        case .leaving(let sleepSeconds):
            retry = nil
            state = sleepSeconds == nil ? .disconnected : .asleep
            effects.append(sleepSeconds == nil ? .disconnected : .fellAsleep)
        case .active, .awake:
            // The gateway does not know us: the application connects again (§6.12).
            endConnection()
            effects.append(.disconnected)
        // A late one, of an earlier connection.
        case .disconnected, .connecting, .asleep: break
        }
    }

    mutating func restart() {
        endConnection()
        forgetTopicIDs()
        work.removeAll { $0.kind == .ping }
    }

    /// Forgets the connection and leaves the session as it is.
    private mutating func endConnection() {
        state = .disconnected
        retry = nil
        if work.first?.kind == .ping { work.removeFirst() }
    }

    private mutating func forgetTopicIDs() {
        names = [:]
        ids = [:]
    }

    // MARK: - Retransmission

    /// T_retry is over without an answer: again, or the gateway is given up (§6.13).
    mutating func retryReached() {
        guard let due = retry else { return }
        if state == .active, let first = work.first, let until = first.restUntil {
            retry = nil
            guard until <= now else { return }
            work[0].restUntil = nil
            return proceed()
        }
        guard due.left > 0 else { return unanswered() }
        retry = Retry(due: now + settings.retryInterval, left: due.left - 1)
        transmit()
    }

    private mutating func unanswered() {
        if state == .awake {
            // "go back to sleep when the limit is reached" (§6.14).
            retry = nil
            state = .asleep
            effects.append(.wakeUnanswered)
        } else {
            endConnection()
            effects.append(.lost)
        }
    }

    /// Sends what the gateway must answer next, for the first time or again.
    mutating func transmit() {
        guard let session else { return }
        switch state {
        case .connecting:
            session.clientID.withView { clientID in
                _ = send(
                    .connect(
                        SNConnect(
                            will: session.will != nil, cleanSession: session.cleanSession,
                            duration: session.keepAlive, clientID: clientID)))
            }
        case .leaving(let sleepSeconds): send(.disconnect(duration: sleepSeconds))
        case .awake: session.clientID.withView { clientID in _ = send(.pingreq(clientID: clientID)) }
        case .active: transmitWork()
        case .disconnected, .asleep: break
        }
    }
}
