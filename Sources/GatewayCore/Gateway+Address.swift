internal import Bytes
internal import Clockwork
internal import MQTTSNWire
internal import Messaging

/// A claim to the client id of a device that may still be there [D-15].
struct Challenge {
    /// Whose client id it is.
    var slot: Int
    /// The newcomer.
    var path: DatagramPath
    var request: ConnectRequest
    /// When the owner is asked again, or given up.
    var due: Instant
    var pings = 1

    /// How often the owner is asked: a third of the interval apart, since a lost datagram must not cost it the session.
    static let pingsMax = 3
}

/// A newcomer that is let in once the event that freed its client id is dealt with.
struct Claim {
    var clientID: ByteString
    var challenge: Challenge
}

/// Which address belongs to which device, and who may take whose [D-11] to [D-16].
extension Gateway {
    /// Whether the policy lets a device move without questions [D-13].
    func mayMove(from old: DatagramPath, to new: DatagramPath) -> Bool {
        switch configuration.rules(of: new.listener).rebind {
        case .never: false
        case .port:
            // Another port of the forwarder is one too, another node behind it is another address [D-62].
            old.remote.with(port: 0) == new.remote.with(port: 0) && old.listener == new.listener
                && old.node == new.node
        case .address: true
        }
    }

    /// The device is reached somewhere else from now on.
    mutating func move(_ slot: Int, to path: DatagramPath) {
        takeAddress(path, for: slot)
        noteChange(slot)
        log(.moved(table[slot].clientID, to: address(of: path)))
    }

    /// Gives the address to the device; whoever had it before is not there any more.
    mutating func takeAddress(_ path: DatagramPath, for slot: Int) {
        if let other = table.slot(at: path), other != slot { displace(other) }
        if table[slot].path.listener != path.listener { changeListener(slot, to: path.listener) }
        table.bind(slot, to: path)
        noteDurable(slot)
    }

    /// Somebody else speaks from this device's address, so that nothing may be sent to it there any more. Who sleeps
    /// can wake from another.
    mutating func displace(_ slot: Int) {
        abandonAttempt(slot)
        guard table.contains(slot) else { return }
        switch table[slot].state {
        case .active:
            lose(slot)
        case .awake:
            sleepAgain(slot)
            table.unbind(slot)
            noteDurable(slot)
        case .asleep:
            table.unbind(slot)
            noteDurable(slot)
        case .connecting, .disconnected, .lost:
            break
        }
    }

    /// PINGREQ with a client id from an address that is not that device's [D-11] [D-13].
    mutating func wakeFromElsewhere(_ clientID: ByteView, from path: DatagramPath) {
        guard let slot = table.slot(named: sessionName(clientID, path)) else { return turnAway(path) }
        switch table[slot].state {
        case .asleep, .awake:
            guard mayMove(from: table[slot].path, to: path), isSameUser(slot, at: path) else { return turnAway(path) }
            move(slot, to: path)
            table[slot].heard = now.instant
            pingreqReceived(.empty, from: path, slot)
        case .connecting, .active, .disconnected, .lost:
            turnAway(path)
        }
    }

    // MARK: - Challenges

    /// Asks the owner of a client id whether it is still there.
    mutating func challenge(_ slot: Int, _ request: ConnectRequest, _ path: DatagramPath) {
        if let place = challenges.firstIndex(where: { $0.slot == slot }), challenges[place].path == path {
            challenges[place].request = request
            return
        }
        guard !table[slot].isChallenged, challenges.count < configuration.challengesMax else {
            let clientID = table[slot].clientID
            return clientID.withView { refuse($0, path, .congestion) }
        }
        challenges.append(Challenge(slot: slot, path: path, request: request, due: challengeStep()))
        table.nodes.hold(path.node)
        table[slot].isChallenged = true
        send(.pingreq(clientID: .empty), to: slot)  // [SN-6.11]
        arm(slot)
    }

    private func challengeStep() -> Instant {
        now.instant + configuration.challengeInterval / Challenge.pingsMax
    }

    /// When the challenge to this device is due; nil if there is none.
    func challengeDue(_ slot: Int) -> Instant? {
        table[slot].isChallenged ? challenges.first { $0.slot == slot }?.due : nil
    }

    /// The owner spoke: the newcomer must wait.
    mutating func ownerAnswered(_ slot: Int) {
        guard let challenge = takeChallenge(slot) else { return }
        let clientID = table[slot].clientID
        log(.claimRejected(clientID, at: address(of: challenge.path)))
        if isSleepers(challenge.path) { return }
        clientID.withView { refuse($0, challenge.path, .congestion) }
    }

    /// Whether a claimant's address is another device's by now, whose radio is off. Who is there asks again.
    private func isSleepers(_ path: DatagramPath) -> Bool {
        guard let other = table.slot(at: path), case .asleep = table[other].state else { return false }
        return true
    }

    /// The owner has not spoken since it was last asked: once more, or the session moves.
    mutating func challengeReached(_ slot: Int) {
        guard let place = challenges.firstIndex(where: { $0.slot == slot }) else { return }
        if challenges[place].pings < Challenge.pingsMax {
            challenges[place].pings += 1
            challenges[place].due = challengeStep()
            send(.pingreq(clientID: .empty), to: slot)
        } else if let challenge = takeChallenge(slot) {
            move(slot, to: challenge.path)
            reconnect(slot, challenge.request, isHere: false)
        }
    }

    /// The owner is gone: the newcomer gets its turn.
    mutating func releaseClaim(_ slot: Int) {
        guard let challenge = takeChallenge(slot) else { return }
        claims.append(Claim(clientID: table[slot].clientID, challenge: challenge))
    }

    /// Lets in who waited. Not at once when an owner goes, since that may happen half-way through another's procedure.
    mutating func admitClaims() {
        while let claim = claims.popLast() {
            if isSleepers(claim.challenge.path) { continue }
            claim.clientID.withView { admit($0, claim.challenge.request, from: claim.challenge.path) }
        }
    }

    /// Ends the challenge to this device, if there is one.
    mutating func takeChallenge(_ slot: Int) -> Challenge? {
        guard table[slot].isChallenged else { return nil }
        table[slot].isChallenged = false
        guard let place = challenges.firstIndex(where: { $0.slot == slot }) else { return nil }
        let challenge = challenges.remove(at: place)
        // The number stays good until the event is dealt with, and so does a claim.
        table.nodes.release(challenge.path.node)
        return challenge
    }
}
