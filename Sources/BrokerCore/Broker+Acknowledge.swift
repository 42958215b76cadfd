internal import Clockwork
internal import Messaging

/// Deliveries that links cannot carry, in one turn, that are at once followed by the next one.
let abandonsPerTurn = 1_000

extension Broker {
    /// PUBACK, PUBREC or PUBCOMP from the client, for a delivery of ours (MQTT 5.0 §4.3.2, §4.3.3).
    mutating func acknowledgementReceived(
        _ acknowledgement: Acknowledgement, session slot: Int, link: LinkID, now: Now, into effects: inout BrokerEffects
    ) {
        let identifier = acknowledgement.packetIdentifier
        guard let index = sessions[slot].inflight.place(of: identifier) else {
            return unknown(acknowledgement, link: link, into: &effects)
        }
        let delivery = sessions[slot].inflight[index]
        switch (acknowledgement.kind, delivery.qos, delivery.phase) {
        case (.puback, .atLeastOnce, _):
            count(acknowledgement)
            complete(slot, index, now: now, into: &effects)
        case (.pubcomp, .exactlyOnce, .release):
            complete(slot, index, now: now, into: &effects)
        case (.pubrec, .exactlyOnce, .publish):
            count(acknowledgement)
            guard acknowledgement.outcome.isAccepted else {
                // The client refuses the message: the handshake ends here (§4.3.3).
                return complete(slot, index, now: now, into: &effects)
            }
            release(delivery.message, delivery.identifiers)
            sessions[slot].inflight[index].phase = .release
            journalRelease(delivery.sequence, of: slot)
            sessions[slot].inflight[index].message = .passing
            effects.answer(link, .acknowledge(Acknowledgement(.pubrel, identifier)))
        case (.pubrec, .exactlyOnce, .release):
            effects.answer(link, .acknowledge(Acknowledgement(.pubrel, identifier)))
        case (.pubcomp, _, _), (.puback, _, _), (.pubrec, _, _), (.pubrel, _, _):
            // An acknowledgement of another kind of handshake (attack case 71). A device may repeat an old one.
            guard !link.isDevice else { return }
            effects.answer(link, .close(.protocolError))
            detach(slot, Farewell(publishesWill: true), now: now, into: &effects)
        }
    }

    /// With PUBACK or PUBREC the message is the client's: it was delivered, or is refused.
    private mutating func count(_ acknowledgement: Acknowledgement) {
        if acknowledgement.outcome.isAccepted {
            counters.acknowledged += 1
        } else {
            counters.refusedByReceiver += 1
        }
    }

    /// An identifier that is not in flight: said where the protocol has words for it, else passed over.
    private mutating func unknown(
        _ acknowledgement: Acknowledgement, link: LinkID, into effects: inout BrokerEffects
    ) {
        counters.unknownIdentifiers += 1
        guard acknowledgement.kind == .pubrec, acknowledgement.outcome.isAccepted else { return }
        let answer = Acknowledgement(.pubrel, acknowledgement.packetIdentifier, .packetIdentifierNotFound)
        effects.answer(link, .acknowledge(answer))
    }

    /// The handshake is over: the next delivery may go.
    private mutating func complete(_ slot: Int, _ index: Int, now: Now, into effects: inout BrokerEffects) {
        let delivery = sessions[slot].inflight.remove(at: index)
        journalGone(delivery.sequence, of: slot)
        if delivery.phase == .publish { release(delivery.message, delivery.identifiers) }
        drain(slot, now: now, into: &effects)
    }

    /// A link of one at a time is done with its delivery at QoS 0.
    mutating func deliveredReceived(_ slot: Int, now: Now, into effects: inout BrokerEffects) {
        if discardBusy(slot) { counters.messagesSent.qos0 += 1 }
        drain(slot, now: now, into: &effects)
    }

    /// The link can never carry this delivery.
    mutating func abandonReceived(
        _ identifier: UInt16, session slot: Int, now: Now, into effects: inout BrokerEffects
    ) {
        if let index = sessions[slot].inflight.place(of: identifier) {
            let delivery = sessions[slot].inflight.remove(at: index)
            journalGone(delivery.sequence, of: slot)
            if delivery.phase == .publish {
                counters.droppedUndeliverable += 1
                release(delivery.message, delivery.identifiers)
            }
        } else if identifier == 0 {
            abandonUnacknowledged(slot)
        }
        // A link that can carry none of very many messages would go through all of them in one turn.
        if now.instant != abandonInstant {
            abandonInstant = now.instant
            abandonsLeft = abandonsPerTurn
        }
        guard abandonsLeft > 0 else { return lineUp(slot) }
        abandonsLeft -= 1
        drain(slot, now: now, into: &effects)
    }

    /// A delivery at QoS 0 comes to nothing: what a device was busy with, or what was handed to a connection in this
    /// very turn and counted as sent.
    private mutating func abandonUnacknowledged(_ slot: Int) {
        guard let attachment = sessions[slot].attachment else { return }
        switch attachment.pace {
        case .oneAtATime:
            guard discardBusy(slot) else { return }
        case .window:
            counters.messagesSent.qos0 -= 1
        }
        counters.droppedUndeliverable += 1
    }

    /// Lets go what a link of one at a time is busy with; false if that is nothing.
    private mutating func discardBusy(_ slot: Int) -> Bool {
        guard let busy = sessions[slot].attachment?.busyWith else { return false }
        sessions[slot].attachment?.busyWith = nil
        release(busy.message, busy.identifiers)
        return true
    }

    /// The link ends in the middle of a delivery at QoS 0, which nobody repeats.
    mutating func loseBusy(_ slot: Int) {
        if discardBusy(slot) { counters.lostWithLink += 1 }
    }

    /// What was in flight waits at the head of the queue, in the order it was sent, under the identifiers that the
    /// client may have seen (DESIGN §4) [MQTT-4.4.0-1].
    mutating func returnInflight(_ slot: Int) {
        while let delivery = sessions[slot].inflight.popLast() {
            if delivery.phase == .publish {
                let size = messages.size(of: delivery.message)
                sessions[slot].queuedBytes += size
                sessions[slot].queue.returnedBytes += size
            }
            queuedDeliveries += 1
            var entry = QueuedDelivery(
                message: delivery.message, identifiers: delivery.identifiers,
                packetIdentifier: delivery.packetIdentifier, qos: delivery.qos, retain: delivery.retain,
                phase: delivery.phase == .publish ? .message : .release, group: delivery.group,
                sequence: delivery.sequence)
            noteWaiting(&entry, of: slot)
            sessions[slot].queue.prepend(entry)
        }
    }
}
