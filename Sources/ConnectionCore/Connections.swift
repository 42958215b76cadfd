internal import Authentication
package import Bytes
package import Clockwork
internal import MQTTWire
package import Messaging

/// The MQTT connections: bytes in, requests to the broker out; answers of the broker in, bytes out.
///
/// What `GatewayCore` is for devices, this is for MQTT clients: protocol versions, CONNECT first, keep-alive, limits,
/// aliases, reason codes. Sessions and messages are the broker's. The bytes of each connection wait in its output
/// until the adapter has written them; `dirty` lists who has some, `closing` whose socket is to be closed after them.
package struct Connections {
    private let passedByAddress = PassedByAddress()
    package private(set) var limits: ConnectionLimits
    package internal(set) var counters = ConnectionCounters()

    /// Connections that have output since the list was last taken.
    var dirty: [Int] = []
    /// Connections whose output waits for the disk.
    var gated: [Int] = []
    /// Whether deliveries have half filled an output since that was last asked.
    var hasMuchOutput = false
    /// Connections that have their CONNACK and packets that came before it.
    var resumed: [Int] = []
    /// Bytes of packets whose end has not been read yet, in all.
    var unfinishedBytes = 0
    /// Connections to be closed once their output is flushed; the adapter then calls `ended`.
    var closing: [Int] = []

    var connections: [Connection] = []
    private var freeSlots: [Int] = []
    /// Open connections of each listener.
    private var openByListener: [Int] = []
    var timers = TimerWheel()
    /// The PUBLISH encoded last, for the next receiver of the same message.
    var encoded = EncodedPublish()
    /// The same for clients that take topic aliases: with the name and its new alias, and with the alias alone.
    var introducing = EncodedPublish(.introducing)
    var aliased = EncodedPublish(.aliased)
    /// The name behind a topic alias, while its PUBLISH is handled.
    var scratchTopic = OutputBuffer()
    /// Where property sections are built.
    var scratch = OutputBuffer()

    /// The check of a password that was asked for last.
    var lastCheck: UInt32 = 0
    /// What authentication exchanges begin with.
    var nonces: NonceSource

    package init(limits: ConnectionLimits = ConnectionLimits()) {
        self.limits = limits
        nonces = NonceSource(secret: limits.nonceSecret)
    }

    /// Other rules for the listeners from now on. Who came by a password that is no longer there, or is another one by
    /// now, is ended; what else a connection was accepted under stays with it.
    package mutating func setListenerRules(
        _ listeners: [ConnectionLimits.Listener], into effects: inout [ConnectionEffect]
    ) {
        let before = limits.listeners
        limits.listeners = listeners
        for slot in connections.indices {
            guard case .connected = connections[slot].state, let user = connections[slot].passwordUser else { continue }
            let listener = Int(connections[slot].listener)
            let old = listener < before.count ? before[listener].passwordUsers : nil
            guard let old, rules(of: slot).passwordUsers?.hasSame(user, as: old) == true else {
                fail(slot, .notAuthorized, .refused(.notAuthorized), into: &effects)  // [M-120]
                continue
            }
        }
    }

    /// Connections open now.
    package var count: Int { connections.count - freeSlots.count }

    /// A socket has opened. Nil when there are too many: the adapter closes it.
    package mutating func open(listener: UInt16, now: Now) -> Int? {
        let rules = rules(ofListener: listener)
        while openByListener.count <= Int(listener) { openByListener.append(0) }
        guard count < limits.connectionsMax, openByListener[Int(listener)] < rules.connectionsMax else {
            counters.refusedAtLimit += 1
            return nil
        }
        openByListener[Int(listener)] += 1
        let slot = freeSlots.popLast() ?? connections.count
        if slot == connections.count { connections.append(Connection()) }
        connections[slot] = Connection()
        connections[slot].state = .opened
        connections[slot].listener = listener
        connections[slot].qosMax = rules.qosMax
        connections[slot].topicAliasMax = rules.topicAliasMax
        connections[slot].lastHeard = now.instant
        timers.schedule(slot, at: now.instant + limits.connectTimeout)
        counters.opened += 1
        return slot
    }

    /// The socket is gone, for this reason unless the connection was ended before: the slot is free from here on.
    package mutating func ended(
        _ slot: Int, because end: ConnectionEnd = .lost, into effects: inout [ConnectionEffect]
    ) {
        switch connections[slot].state {
        case .free: return
        case .opened: effects.append(.log(slot: slot, .ended(nil, end)))
        case .authenticating, .verifying: effects.append(.log(slot: slot, .ended(connections[slot].clientID, end)))
        case .attaching, .connected:
            effects.append(.request(.connection(slot), .detach(Farewell(publishesWill: true))))
            effects.append(.log(slot: slot, .ended(connections[slot].clientID, end)))
        case .closing: break
        }
        timers.cancel(slot)
        openByListener[Int(connections[slot].listener)] -= 1
        forgetUnfinished(slot)
        connections[slot].freeMemory()
        connections[slot] = Connection()
        freeSlots.append(slot)
    }

    /// When `advance(to:)` is due.
    package var nextDeadline: Deadline? { timers.nextDeadline }

    /// Ends what was silent too long.
    ///
    /// - Parameter endsMax: how many connections at most; others stay due.
    package mutating func advance(to now: Now, endsMax: Int = .max, into effects: inout [ConnectionEffect]) {
        let before = closing.count
        while closing.count - before < endsMax, let slot = timers.expire(to: now.instant) {
            switch connections[slot].state {
            case .free, .closing: break
            case .opened, .authenticating, .verifying, .attaching:
                close(slot, .connectTimedOut, into: &effects)
            case .connected:
                // Deadlines are moved only when they come: a packet does not touch the timer.
                let due = connections[slot].lastHeard + connections[slot].silenceMax
                if due > now.instant {
                    timers.schedule(slot, at: due)
                } else {
                    fail(slot, .keepAliveTimeout, .keepAliveTimedOut, into: &effects)
                }
            }
        }
    }

    /// What waits for the socket, and not for the disk; valid until the connection is next spoken of.
    package func output(of slot: Int) -> ByteView {
        let output = connections[slot].output.pending
        return connections[slot].isGated ? output[0..<min(output.count, connections[slot].gate.position)] : output
    }

    /// The adapter has written `count` bytes.
    package mutating func wrote(_ count: Int, of slot: Int, into effects: inout [ConnectionEffect]) {
        connections[slot].output.consume(count)
        if connections[slot].isGated { connections[slot].gate.consume(count) }
        guard connections[slot].isBlocked, connections[slot].output.count <= limits.outputBytesMax / 2 else { return }
        connections[slot].isBlocked = false
        guard case .connected = connections[slot].state else { return }
        effects.append(.request(.connection(slot), .window(isOpen: true)))
    }

    /// The connections with new output; the list starts anew.
    package mutating func takeDirty(into list: inout [Int]) {
        swap(&dirty, &list)
        dirty.removeAll(keepingCapacity: true)
        for slot in list { connections[slot].isDirty = false }
    }

    /// Whether deliveries have half filled an output since the last time: to write now, and not at the turn's end,
    /// keeps the window of a client open that reads well. A full output gets no deliveries and is not told of again.
    package mutating func takeMuchOutput() -> Bool {
        defer { hasMuchOutput = false }
        return hasMuchOutput
    }

    /// The connections to be closed; the list starts anew, with those whose last words wait for the disk.
    package mutating func takeClosing() -> [Int] {
        guard !closing.isEmpty else { return [] }
        let before = closing
        closing = []
        // One that was lost meanwhile has ended already.
        return before.filter { slot in
            guard case .closing = connections[slot].state else { return false }
            if connections[slot].isGated { closing.append(slot) }
            return !connections[slot].isGated
        }
    }

    /// The client behind a connection, once CONNECT was read.
    package func clientID(of slot: Int) -> ClientID? {
        switch connections[slot].state {
        case .free, .opened: nil
        case .authenticating, .verifying, .attaching, .connected, .closing: connections[slot].clientID
        }
    }

    /// What holds on the listener that accepted a connection.
    func rules(of slot: Int) -> ConnectionLimits.Listener { rules(ofListener: connections[slot].listener) }

    private func rules(ofListener listener: UInt16) -> ConnectionLimits.Listener {
        Int(listener) < limits.listeners.count ? limits.listeners[Int(listener)] : ConnectionLimits.Listener()
    }

    /// The listener that accepted a connection.
    package func listener(of slot: Int) -> UInt16 { connections[slot].listener }

    /// Gives all memory back that is held by hand. The table is not to be used afterwards.
    package mutating func tearDown() {
        for slot in connections.indices { connections[slot].freeMemory() }
        scratch.deallocate()
        scratchTopic.deallocate()
        encoded.freeMemory()
        introducing.freeMemory()
        aliased.freeMemory()
    }
}

/// What the connections have counted since they began.
package struct ConnectionCounters: Equatable, Sendable {
    package var opened: UInt64 = 0
    /// Sockets turned away because there were too many.
    package var refusedAtLimit: UInt64 = 0
    package var packetsReceived: UInt64 = 0
    package var packetsSent: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    package var bytesSent: UInt64 = 0
    /// Connections ended because the client broke a rule.
    package var violations: UInt64 = 0
    package var connectRefused: UInt64 = 0
    /// Exchanges of an authentication method that did not show who the client is (MQTT 5.0 §4.12).
    package var authenticationsFailed: UInt64 = 0
    package var keepAliveTimeouts: UInt64 = 0
    package var connectTimeouts: UInt64 = 0
    /// Deliveries longer than the client's Maximum Packet Size [MQTT-3.1.2-25].
    package var deliveriesTooLong: UInt64 = 0
    package var readsTooSlowly: UInt64 = 0
    /// Connections ended because unfinished packets took too much memory [M-70].
    package var unfinishedDropped: UInt64 = 0

    package init() {}
}
