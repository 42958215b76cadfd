internal import Bytes
internal import Clockwork
internal import MQTTSNWire
internal import Messaging

/// Connection setup: CONNECT, the will handshake, CONNACK (§6.2, §6.3).
extension Gateway {
    mutating func connectReceived(_ connect: SNConnect, from path: DatagramPath) {
        guard connect.protocolID == 0x01 else { return refuse(connect.clientID, path, .notSupported) }  // [D-39]
        guard !connect.clientID.isEmpty, connect.clientID.count <= configuration.clientIDBytesMax,
            connect.clientID.isMQTTString
        else { return refuse(connect.clientID, path, .notSupported) }  // [D-40]
        // The last moments of a gateway: what it said yes to now would be lost without a word [D-98].
        guard !isStopping else { return refuse(connect.clientID, path, .congestion) }
        let name = sessionName(connect.clientID, path)
        guard mayConnect(name, at: path) else { return turnDown(name, path) }
        let request = ConnectRequest(
            will: connect.will, cleanSession: connect.cleanSession, duration: connect.duration)
        admit(name, request, from: path)
    }

    /// The client id as the broker knows it: with the listener's prefix [D-45].
    func sessionName(_ clientID: ByteView, _ path: DatagramPath) -> ByteView {
        let prefix = configuration.rules(of: path.listener).clientIDPrefix
        guard !prefix.isEmpty else { return clientID }
        return scratch.keep {
            $0.append(prefix)
            $0.append(clientID)
        }
    }

    /// Finds the record for a well-formed CONNECT, and whether the sender may have it.
    mutating func admit(_ name: ByteView, _ request: ConnectRequest, from path: DatagramPath) {
        guard let slot = table.slot(named: name) else {
            return admitNew(name, request, from: path)
        }
        let isHere = table.slot(at: path) == slot
        switch table[slot].state {
        case .connecting(let connecting) where !isHere && !connecting.isResuming:
            // Nobody proved anything at the other address; whoever comes last is served [D-35].
            abandonAttempt(slot)
            admit(name, request, from: path)
        case _ where !isHere && !isSameUser(slot, at: path):
            turnDown(name, path)  // [D-15]
        case .asleep where !isHere && !mayMove(from: table[slot].path, to: path):
            // Its radio is off, so its silence says nothing [D-52].
            log(.claimRejected(table[slot].clientID, at: address(of: path)))
            refuse(name, path, .congestion)
        case .connecting, .active, .asleep, .awake:
            if !isHere {
                guard mayMove(from: table[slot].path, to: path) else { return challenge(slot, request, path) }
                ownerAnswered(slot)
                move(slot, to: path)
            }
            reconnect(slot, request, isHere: isHere)
        case .disconnected(let away):
            takeAddress(path, for: slot)
            begin(slot, request, from: .disconnected(away))
        case .lost(let away):
            takeAddress(path, for: slot)
            begin(slot, request, from: .lost(away))
        }
    }

    private mutating func admitNew(_ name: ByteView, _ request: ConnectRequest, from path: DatagramPath) {
        let clientID = ByteString(name)
        if let other = table.slot(at: path) { displace(other) }
        guard table.count < configuration.devicesMax else { return refuse(name, path, .congestion) }
        guard hasRoom(behind: path) else { return refuse(name, path, .congestion) }
        let slot = table.insert(
            Device(
                path: path, clientID: clientID, state: .disconnected(Away(until: nil)), heard: now.instant,
                registerID: UInt16(random.below(0x7FFF))))
        counters.devicesDisconnected += 1
        table.bind(slot, to: path)
        begin(slot, request, from: .new)
    }

    /// CONNECT from a device that may have this record.
    mutating func reconnect(_ slot: Int, _ request: ConnectRequest, isHere: Bool) {
        switch table[slot].state {
        case .connecting(let connecting):
            // Its CONNACK is on its way.
            if connecting.isAttaching, connecting.request == request { return }
            if connecting.isAttaching { ask(slot, .detach(Farewell(publishesWill: false))) }
            begin(slot, request, from: connecting.origin)  // [D-35]
        case .active(let active):
            if isHere, isRepetition(of: active, request, slot) { return repeatConnack(slot) }  // [D-01]
            detachToReconnect(slot)
            begin(slot, request, from: .disconnected(sessionEnd(slot)))
        case .asleep(let asleep):
            resume(slot, request, asleep)
        case .awake(let awake):
            ask(slot, .window(isOpen: false))
            resume(slot, request, awake.asleep)
        case .disconnected(let away):
            begin(slot, request, from: .disconnected(away))
        case .lost(let away):
            begin(slot, request, from: .lost(away))
        }
    }

    /// Whether a CONNECT is the first one again. With CleanSession=1 it is not once the device has spoken and had time
    /// for all its retries: it was restarted and wants what it says, a clean session.
    private func isRepetition(of active: Active, _ request: ConnectRequest, _ slot: Int) -> Bool {
        guard active.request == request else { return false }
        let rules = retryRules(slot)
        let retries = rules.nanoseconds * UInt64(rules.count + 1)
        let isLate = now.instant.nanoseconds - min(active.since.nanoseconds, now.instant.nanoseconds) > retries
        return !(request.cleanSession && table[slot].hasSpoken && isLate)
    }

    /// The CONNACK was lost, or the device was restarted: the same answer, and everything stays [D-01].
    private mutating func repeatConnack(_ slot: Int) {
        send(.connack(.accepted), to: slot)
        guard table[slot].hasSpoken else { return }
        // It got the first CONNACK, so it may have been restarted and know no topic ids any more [D-03].
        table[slot].hasSpoken = false
        table[slot].topics.doubtAll()
        restartExchange(slot)
    }

    /// CONNECT from sleep: the session goes on [D-02].
    private mutating func resume(_ slot: Int, _ request: ConnectRequest, _ asleep: Asleep) {
        if isStrict(slot), request.cleanSession {
            detachToReconnect(slot)
            return begin(slot, request, from: .disconnected(sessionEnd(slot)))
        }
        table[slot].retryAt = nil
        // A device that wakes by CONNECT and not by PINGREQ may have been restarted [D-03].
        table[slot].topics.doubtAll()
        if request.will {
            begin(slot, request, from: .asleep(asleep))
        } else {
            activate(slot, request, sessionPresent: true)
        }
    }

    /// The device is there again, so nobody needs to hear its will.
    private mutating func detachToReconnect(_ slot: Int) {
        ask(slot, .detach(Farewell(publishesWill: false)))
        dropLinkState(slot)
    }

    /// Starts the procedure of Figure 3: for the will first, if there is to be one.
    private mutating func begin(_ slot: Int, _ request: ConnectRequest, from origin: Connecting.Origin) {
        table[slot].heard = now.instant
        table[slot].retries = 0
        table[slot].retryAt = nil
        if request.will {
            enter(.connecting(Connecting(request: request, step: .willTopic, origin: origin)), slot)
            askForWill(slot)  // [SN-6.2]
        } else {
            // Without CleanSession the stored will stays (§6.3).
            attach(slot, request, request.cleanSession ? nil : wills[slot], origin)
        }
    }

    /// Asks the broker for the session, or, if it is there, goes on with it.
    mutating func attach(_ slot: Int, _ request: ConnectRequest, _ will: Will?, _ origin: Connecting.Origin) {
        table[slot].retryAt = nil
        if case .asleep = origin {
            store(will, slot)
            ask(slot, .setWill(will))
            return activate(slot, request, sessionPresent: true)
        }
        enter(.connecting(Connecting(request: request, step: .attaching(will), origin: origin)), slot)
        ask(
            slot,
            .attach(
                // CONNACK cannot say that the session is new: a device that still holds the MsgId of a handshake with
                // the one before would take the first message for a repetition. [D-54]
                offer(
                    of: slot, cleanSession: request.cleanSession, will: will,
                    firstPacketIdentifier: UInt16(1 + identifiers.below(0x7FFF)))))
    }

    /// What the device brings to the broker.
    func offer(of slot: Int, cleanSession: Bool, will: Will?, firstPacketIdentifier: UInt16) -> SessionOffer {
        SessionOffer(
            clientID: table[slot].clientID, cleanStart: cleanSession,
            sessionExpiryInterval: cleanSession ? 0 : configuration.sessionExpiryInterval, pace: .oneAtATime,
            will: will, receiveMaximum: UInt16(clamping: max(1, configuration.uplinksPerDeviceMax)),
            userName: userName(of: slot), listener: table[slot].path.listener,
            sleepQueue: configuration.rules(of: table[slot].path.listener).sleepQueue,
            firstPacketIdentifier: firstPacketIdentifier)
    }

    /// The broker has given the session.
    mutating func attached(_ answer: Attached, _ slot: Int) {
        guard case .connecting(let connecting) = table[slot].state, case .attaching(let will) = connecting.step else {
            // Nobody wants it any more: a link must not be left behind attached.
            if !table[slot].state.isAttached { ask(slot, .detach(Farewell(publishesWill: false))) }
            return
        }
        if answer.sessionPresent {
            table[slot].topics.doubtAll()  // [D-03]
        } else {
            forgetTopics(slot)
        }
        store(will, slot)
        table[slot].sessionExpiryInterval = answer.sessionExpiryInterval
        noteDurable(slot)
        activate(slot, connecting.request, sessionPresent: answer.sessionPresent)
    }

    /// CONNACK, then whatever waits for the device.
    private mutating func activate(_ slot: Int, _ request: ConnectRequest, sessionPresent: Bool) {
        enter(.active(Active(request: request, since: now.instant)), slot)
        table[slot].heard = now.instant
        table[slot].hasSpoken = false
        send(.connack(.accepted), to: slot)
        log(.connected(table[slot].clientID, at: address(of: table[slot].path), sessionPresent: sessionPresent))
        ask(slot, .window(isOpen: true))
        restartExchange(slot)
        arm(slot)
    }

    mutating func attachRefused(_ refusal: Refusal, _ slot: Int) {
        guard case .connecting(let connecting) = table[slot].state, connecting.isAttaching else { return }
        let device = table[slot]
        device.clientID.withView { refuse($0, device.path, SNReturnCode(refusal)) }
        fallBack(slot, to: connecting.origin)
    }

    mutating func refuse(_ clientID: ByteView, _ path: DatagramPath, _ code: SNReturnCode) {
        counters.connectsRefused += 1
        send(.connack(code), to: path)
        let shown = ByteString(clientID.dropLast(beyond: configuration.clientIDBytesMax))
        log(.refused(shown, at: address(of: path), code))
    }

    /// Nothing comes of a CONNECT [D-35].
    mutating func abandonAttempt(_ slot: Int) {
        guard case .connecting(let connecting) = table[slot].state else { return }
        if connecting.isAttaching { ask(slot, .detach(Farewell(publishesWill: false))) }
        fallBack(slot, to: connecting.origin)
    }

    mutating func fallBack(_ slot: Int, to origin: Connecting.Origin) {
        table[slot].retryAt = nil
        switch origin {
        case .new:
            remove(slot)
        case .disconnected(let away):
            table.unbind(slot)
            enter(.disconnected(away), slot)
            arm(slot)
        case .lost(let away):
            table.unbind(slot)
            enter(.lost(away), slot)
            arm(slot)
        case .asleep(let asleep):
            enter(.asleep(asleep), slot)
            arm(slot)
        }
    }
}

extension ByteView {
    /// The first `limit` bytes.
    fileprivate func dropLast(beyond limit: Int) -> ByteView {
        self[0..<Swift.min(count, Swift.max(0, limit))]
    }
}
