import Bytes
import Clockwork
import MQTTWire
import Messaging
import Support
import Testing

@testable import ConnectionCore

@Suite struct AnswerTests {
    static let outcomes: [(outcome: PublishOutcome, code: ReasonCode)] = [
        (.success, .success), (.noMatchingSubscribers, .noMatchingSubscribers),
        (.unspecifiedError, .unspecifiedError), (.notAuthorized, .notAuthorized),
        (.topicNameInvalid, .topicNameInvalid), (.packetIdentifierInUse, .packetIdentifierInUse),
        (.quotaExceeded, .quotaExceeded), (.notRetained, .quotaExceeded),
    ]

    @Test("PUBACK and PUBREC carry the reason in MQTT 5, and none before it", arguments: outcomes)
    func publishAcknowledged(outcome: PublishOutcome, code: ReasonCode) throws {
        for version in versions {
            // What before MQTT 5 cannot be said [M-05] is another test's.
            guard outcome != .quotaExceeded || version == .v5 else { continue }
            let world = ConnectionWorld()
            let slot = try world.client(version)
            world.answer(slot, .acknowledge(Acknowledgement(.puback, 5, outcome)))
            #expect(world.heard(slot) == ["PUBACK 5 \(version == .v5 ? code : .success)"])
            world.answer(slot, .acknowledge(Acknowledgement(.pubrec, 6, outcome)))
            #expect(world.heard(slot) == ["PUBREC 6 \(version == .v5 ? code : .success)"])
        }
    }

    @Test("PUBREL and PUBCOMP, and PUBCOMP for an unknown identifier (§3.7.2.1)")
    func released() throws {
        for version in versions {
            let world = ConnectionWorld()
            let slot = try world.client(version)
            world.answer(slot, .acknowledge(Acknowledgement(.pubrel, 5)))
            world.answer(slot, .acknowledge(Acknowledgement(.pubcomp, 6)))
            world.answer(slot, .acknowledge(Acknowledgement(.pubcomp, 7, .packetIdentifierNotFound)))
            let code: ReasonCode = version == .v5 ? .packetIdentifierNotFound : .success
            #expect(world.heard(slot) == ["PUBREL 5 success", "PUBCOMP 6 success", "PUBCOMP 7 \(code)"])
        }
    }

    @Test("At QoS 0 a refusal has no packet")
    func refusedAtQoSZero() throws {
        let world = ConnectionWorld()
        let slot = try world.client(.v5)
        world.answer(slot, .acknowledge(Acknowledgement(.puback, 0, .notAuthorized)))
        #expect(world.pending(slot).isEmpty)
        #expect(!world.isClosing(slot))
    }

    @Test(
        "More open messages than Receive Maximum end the connection [MQTT-3.3.4-7] [attack 67]",
        arguments: versions)
    func receiveMaximumExceeded(version: ProtocolVersion) throws {
        let world = ConnectionWorld()
        let slot = try world.client(version)
        world.answer(slot, .acknowledge(Acknowledgement(.pubrec, 21, .receiveMaximumExceeded)))
        #expect(world.heard(slot) == (version == .v5 ? ["DISCONNECT receiveMaximumExceeded"] : []))
        #expect(world.asked(slot) == ["detach will"])
        #expect(world.logged() == [.ended("p", .violated(.receiveMaximumExceeded))])
    }

    @Test(
        "A message without room ends the connection unacknowledged before MQTT 5 [MQTT311-4.8.0-2] [M-05]",
        arguments: [ProtocolVersion.v3_1, .v3_1_1], [Acknowledgement.Kind.puback, .pubrec])
    func noRoomBeforeV5(version: ProtocolVersion, kind: Acknowledgement.Kind) throws {
        let world = ConnectionWorld()
        let slot = try world.client(version)
        world.answer(slot, .acknowledge(Acknowledgement(kind, 5, .quotaExceeded)))
        #expect(world.pending(slot).isEmpty)
        #expect(world.asked(slot) == ["detach will"])
        #expect(world.logged() == [.ended("p", .closed(.quotaExceeded))])
    }

    static let refusals: [(refusal: Refusal, code: String)] = [
        (.topicFilterInvalid, "8f"), (.notAuthorized, "87"), (.quotaExceeded, "97"),
        (.sharedSubscriptionsNotSupported, "9e"),
    ]

    @Test("SUBACK has a code for each filter: the reason in MQTT 5, 0x80 before it [MQTT-3.9.3-2]", arguments: refusals)
    func suback(refusal: Refusal, code: String) throws {
        for version in versions {
            let world = ConnectionWorld()
            let slot = try world.client(version)
            let granted: [SubscriptionOutcome] = [.atMostOnce, .atLeastOnce, .exactlyOnce].map { .granted($0, nil) }
            world.answer(slot, .subscribed(packetIdentifier: 3, granted + [.refused(refusal)]))
            #expect(world.heard(slot) == ["SUBACK 3 000102\(version == .v5 ? code : "80")"])
        }
    }

    @Test("UNSUBACK has a code for each filter in MQTT 5 and none before it [MQTT-3.11.3-2]", arguments: versions)
    func unsuback(version: ProtocolVersion) throws {
        let world = ConnectionWorld()
        let slot = try world.client(version)
        world.answer(
            slot,
            .unsubscribed(packetIdentifier: 4, [.removed, .noSubscriptionExisted, .refused(.topicFilterInvalid)]))
        #expect(world.heard(slot) == [version == .v5 ? "UNSUBACK 4 00118f" : "UNSUBACK 4"])
    }

    static let closes: [(reason: CloseReason, code: ReasonCode)] = [
        (.sessionTakenOver, .sessionTakenOver), (.serverShuttingDown, .serverShuttingDown),
        (.administrativeAction, .administrativeAction), (.protocolError, .protocolError),
        (.quotaExceeded, .quotaExceeded), (.receiveMaximumExceeded, .receiveMaximumExceeded),
    ]

    @Test("The broker's end of a link reaches MQTT 5 clients as DISCONNECT, and others as the end", arguments: closes)
    func closed(reason: CloseReason, code: ReasonCode) throws {
        #expect(code.isValid(in: .disconnect))
        for version in versions {
            let world = ConnectionWorld()
            let slot = try world.client(version)
            world.answer(slot, .close(reason))
            #expect(world.heard(slot) == (version == .v5 ? ["DISCONNECT \(code)"] : []))
            // The link is detached already: nothing is asked.
            #expect(world.asked(slot).isEmpty)
            #expect(world.logged() == [.ended("p", .closed(reason))])
            #expect(world.connections.takeClosing() == [slot])
            try world.feed(slot, "c0 00")
            #expect(world.pending(slot).isEmpty)
        }
    }

    // MARK: Every state and every event

    /// Each state, brought about.
    enum Stage: CaseIterable { case free, opened, attaching, connected, closing }

    private func world(at stage: Stage) throws -> (ConnectionWorld, Int) {
        let world = ConnectionWorld()
        let slot = try world.open()
        switch stage {
        case .free: world.end(slot)
        case .opened: break
        case .attaching:
            world.answersConnect = { _ in nil }
            world.feed(slot, try connect(.v5))
        case .connected, .closing:
            world.feed(slot, try connect(.v5))
            if stage == .closing { try world.feed(slot, "e0 00") }
        }
        _ = world.heard(slot)
        _ = world.asked(slot)
        _ = world.logged()
        return (world, slot)
    }

    static let answers: [(answer: LinkAnswer, attaching: String, connected: String)] = [
        (.attached(Attached(sessionPresent: false, sessionExpiryInterval: 0)), "CONNACK success", ""),
        (.refused(.notAuthorized), "CONNACK notAuthorized", ""),
        (.close(.sessionTakenOver), "", "DISCONNECT sessionTakenOver"),
        (.acknowledge(Acknowledgement(.puback, 1)), "", "PUBACK 1 success"),
        (.subscribed(packetIdentifier: 1, [.granted(.atMostOnce, nil)]), "", "SUBACK 1 00"),
        (.unsubscribed(packetIdentifier: 1, [.removed]), "", "UNSUBACK 1 00"),
        (.resolved(token: 1, nil, nil), "", ""),
        (.drained, "", ""),
    ]

    @Test("An answer is written only in the state that waits for it", arguments: answers)
    func answerInEachState(answer: LinkAnswer, attaching: String, connected: String) throws {
        for stage in Stage.allCases {
            let (world, slot) = try world(at: stage)
            world.answer(slot, answer)
            let expected = stage == .attaching ? attaching : stage == .connected ? connected : ""
            let heard = world.heard(slot)
            #expect(heard.count == (expected.isEmpty ? 0 : 1))
            #expect(heard.first?.hasPrefix(expected) ?? true)
            #expect(world.asked(slot).isEmpty)
        }
    }

    @Test("A delivery is written only when connected")
    func deliveryInEachState() throws {
        for stage in Stage.allCases {
            let (world, slot) = try world(at: stage)
            world.deliver(slot, TestDelivery())
            #expect(world.heard(slot) == (stage == .connected ? ["PUBLISH a x qos=0"] : []))
        }
    }

    @Test("Bytes are read only before CONNECT and when connected")
    func bytesInEachState() throws {
        for (stage, asks, says) in [
            (Stage.free, 0, 0), (.opened, 0, 0), (.attaching, 0, 0), (.connected, 1, 1), (.closing, 0, 0),
        ] {
            let (world, slot) = try world(at: stage)
            try world.feed(slot, "30 04 0001 'a' 00 | c0 00")
            #expect(world.asked(slot).count == asks)
            #expect(world.heard(slot).count == says)
            #expect(world.isClosing(slot) == (stage == .opened || stage == .closing))
        }
    }

    @Test("The end of the socket frees the slot from every state, and publishes the will where there can be one")
    func endInEachState() throws {
        for (stage, asks, logs) in [
            (Stage.free, [], 0), (.opened, [], 1), (.attaching, ["detach will"], 1), (.connected, ["detach will"], 1),
            (.closing, [], 0),
        ] as [(Stage, [String], Int)] {
            let (world, slot) = try world(at: stage)
            world.end(slot)
            #expect(world.asked(slot) == asks)
            #expect(world.logged().count == logs)
            #expect(world.connections.count == 0)
            #expect(world.connections.nextDeadline == nil)
            world.end(slot)
            #expect(world.connections.count == 0)
        }
    }

    @Test("The time for CONNECT ends what has no CONNACK, and nothing else")
    func timeInEachState() throws {
        for (stage, ends) in [
            (Stage.free, false), (.opened, true), (.attaching, true), (.connected, false), (.closing, false),
        ] {
            let (world, slot) = try world(at: stage)
            let wasClosing = world.isClosing(slot)
            world.advance(.seconds(5))
            #expect(world.isClosing(slot) == (ends || wasClosing))
            #expect(world.logged().count == (ends ? 1 : 0))
            #expect(world.asked(slot) == (stage == .attaching ? ["detach will"] : []))
        }
    }

    @Test("Who is behind a connection is known once CONNECT was read")
    func clientIDInEachState() throws {
        for (stage, id) in [
            (Stage.free, nil), (.opened, nil), (.attaching, "p"), (.connected, "p"), (.closing, "p"),
        ] as [(Stage, ClientID?)] {
            let (world, slot) = try world(at: stage)
            #expect(world.connections.clientID(of: slot) == id)
        }
    }
}
