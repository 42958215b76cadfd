internal import Bytes
internal import Clockwork
internal import Engine

/// A TCP connection: reliable, in pieces of any size, and broken anywhere.
struct Socket {
    /// The engine's number.
    let slot: Int
    let client: Int
    /// Whether the engine's end is open.
    var isOpen = true
    /// What the client wrote and the engine has not read, and the packets whose ends lie in it.
    var uplink: Octets = []
    var packets: [(packet: ClientPacket, end: Int)] = []
    var written = 0
    var fed = 0
    /// How much of the engine's output was looked at, and what of that is no whole packet.
    var seen = 0
    var stream: Octets = []
    /// What the client has read and is no whole packet.
    var downlink: Octets = []
}

extension Swarm {
    /// The client writes a packet.
    mutating func write(_ packet: ClientPacket, on link: Int) {
        let bytes = packet.encoded(clients[sockets[link].client].version)
        sockets[link].uplink += bytes
        sockets[link].written += bytes.count
        sockets[link].packets.append((packet, sockets[link].written))
        note("c\(sockets[link].client) writes on \(link): \(words(packet))")
    }

    private func words(_ packet: ClientPacket) -> String {
        switch packet {
        case .publish(let publish): text(publish)
        case .broken(let what, _, _): "broken: \(what)"
        case .subscribe(let id, let requests, let identifier):
            "SUBSCRIBE \(id) \(requests.map { "\(text($0.filter)) \($0.options)" }) \(identifier ?? 0)"
        case .unsubscribe(let id, let filters): "UNSUBSCRIBE \(id) \(filters.map { text($0) })"
        case .connect, .step, .pingreq, .disconnect: "\(packet)"
        }
    }

    /// The engine reads so many bytes, and those that may give a forbidden packet away together.
    mutating func feed(_ link: Int, _ atLeast: Int) {
        var count = atLeast
        var start = sockets[link].fed
        for (packet, end) in sockets[link].packets {
            let reached = sockets[link].fed + atLeast
            if case .broken = packet, start < reached, reached < end { count = end - sockets[link].fed }
            start = end
        }
        // What fills a small queue, or a member of a group, in the middle of a read is what the model cannot see yet.
        if plan.rules.queuedMessagesMax < 1_000 || plan.hasShared, let end = sockets[link].packets.first?.end,
            end - sockets[link].fed < count
        {
            let first = end - sockets[link].fed
            feed(link, first)
            return feed(link, count - first)
        }
        // No two connections are heard at one instant, so that they are not silent too long at one either.
        pass(1)
        guard sockets[link].isOpen, count > 0 else { return }
        let bytes = ByteString(Array(sockets[link].uplink.prefix(count)))
        sockets[link].uplink.removeFirst(count)
        sockets[link].fed += count
        let fed = sockets[link].fed
        model.heard(link)
        while let first = sockets[link].packets.first, first.end <= fed {
            sockets[link].packets.removeFirst()
            model.received(first.packet, on: link)
        }
        note("engine reads \(count) on \(link)")
        let slot = sockets[link].slot
        bytes.withView { engine.bytesReceived($0, on: slot, now: time) }
        settle()
    }

    /// The client reads so many bytes.
    mutating func drain(_ link: Int, _ count: Int) {
        guard sockets[link].isOpen, count > 0 else { return }
        let slot = sockets[link].slot
        let output = engine.output(of: slot)
        let bytes = Array(output.memory.prefix(count))
        model.wrote(link, backlog: output.count - count)
        sockets[link].seen -= count
        engine.wrote(count, on: slot, now: time)
        settle()
        read(bytes, on: link)
    }

    /// The client's end of a socket: bytes come in, answers go out.
    private mutating func read(_ bytes: Octets, on link: Int) {
        let client = sockets[link].client
        guard clients[client].link == link else { return }
        sockets[link].downlink += bytes
        while clients[client].link == link,
            let (packet, _) = try? ServerPacket.next(in: &sockets[link].downlink, clients[client].version)
        {
            let answers = clients[client].received(packet, refuses: plan.hasErrors && random.chance(20))
            for answer in answers { write(answer, on: link) }
        }
    }

    /// Looks at what the engine has written since the last time.
    mutating func absorb(_ link: Int) {
        let output = engine.output(of: sockets[link].slot)
        guard output.count > sockets[link].seen else { return }
        let new = output.dropFirst(sockets[link].seen)
        sockets[link].stream += Array(new.memory)
        sockets[link].seen = output.count
        mix([UInt8(truncatingIfNeeded: link), UInt8(truncatingIfNeeded: now), UInt8(truncatingIfNeeded: now >> 8)])
        mix(new.memory)
        do {
            let version = model.links[link].version
            while let (packet, count) = try ServerPacket.next(in: &sockets[link].stream, version) {
                note("engine sends on \(link): \(words(packet))")
                show(packet, count, on: link)
            }
        } catch {
            faults.append("link \(link): illegible: \(error)")
            sockets[link].stream = []
        }
    }

    private mutating func show(_ packet: ServerPacket, _ count: Int, on link: Int) {
        guard let mutation else { return model.sent(packet, byteCount: count, on: link) }
        shown += 1
        for packet in mutation.shown(packet, isChosen: shown % 10 == 0) {
            model.sent(packet, byteCount: count, on: link)
        }
    }

    private func words(_ packet: ServerPacket) -> String {
        if case .publish(let publish) = packet { text(publish) } else { "\(packet)" }
    }

    /// The engine closes what it has to close, and nothing else.
    mutating func closeWhatIsClosing() {
        var dirty: [Int] = []
        engine.takeDirty(into: &dirty)
        for slot in engine.takeClosing() {
            guard let link = sockets.indices.last(where: { sockets[$0].slot == slot && sockets[$0].isOpen }) else {
                faults.append("the engine closes a slot that is free")
                continue
            }
            if model.links[link].phase != .closing { faults.append("link \(link) is closed for no reason") }
            let output = Array(engine.output(of: slot).memory)
            close(link)
            read(plan.hasSplits ? Array(output.prefix(Int(random.below(UInt64(output.count + 1))))) : output, on: link)
            leave(link)
        }
        for link in sockets.indices where sockets[link].isOpen && model.links[link].phase == .closing {
            faults.append("link \(link) is not closed")
        }
    }

    /// The engine's end is gone.
    mutating func close(_ link: Int) {
        note("link \(link) is closed")
        sockets[link].isOpen = false
        model.ended(link)
        engine.connectionEnded(sockets[link].slot, now: time)
    }

    /// The client's end is gone.
    mutating func leave(_ link: Int) {
        let client = sockets[link].client
        if clients[client].link == link { clients[client].disconnected() }
    }

    /// The connection breaks, behind or in the middle of what the client wrote last.
    mutating func cut(_ link: Int) {
        pass(1)
        guard sockets[link].isOpen else { return }
        note("link \(link) breaks")
        close(link)
        leave(link)
        settle()
    }
}
