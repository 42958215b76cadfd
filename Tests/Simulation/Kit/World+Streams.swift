internal import Bytes
internal import Clockwork
internal import Engine
internal import Messaging

/// How streams of bytes behave.
package struct Streams {
    /// The longest time between writing and reading.
    package var delay: Duration = .milliseconds(1)
    /// Whether reads end anywhere.
    package var splits = false
    /// Whether writes take only a part.
    package var writesPartially = false
    /// How long a socket that took only a part takes nothing more.
    package var writePause: Duration = .milliseconds(5)

    package init() {}
}

/// A TCP connection between a client and the engine.
struct WorldLink {
    let client: Int
    let slot: Int
    var isClientOpen = true
    var isEngineOpen = true
    /// Bytes under way to the engine, and whether an arrival is due.
    var uplink: [UInt8] = []
    var isUplinkDue = false
    var downlink: [UInt8] = []
    var isDownlinkDue = false
    /// Whether the socket is full.
    var awaitsWritable = false
    /// Whether the client closed its end behind the last bytes.
    var endsAfterUplink = false

    init(client: Int, slot: Int) {
        self.client = client
        self.slot = slot
    }
}

extension World {
    /// Sends what a client wrote.
    mutating func flush(client: Int) {
        guard let link = clients[client].link else {
            clients[client].client.output = []
            return
        }
        let output = clients[client].client.output
        clients[client].client.output = []
        for event in clients[client].client.events { happenings.append(.client(client, event)) }
        clients[client].client.events = []
        guard !output.isEmpty else { return }
        links[link].uplink += output
        scheduleUplink(link)
    }

    private mutating func scheduleUplink(_ link: Int) {
        guard !links[link].isUplinkDue else { return }
        links[link].isUplinkDue = true
        queue.add(.uplink(link: link), at: now + random.duration(upTo: streams.delay))
    }

    mutating func uplinkArrived(_ link: Int) {
        links[link].isUplinkDue = false
        guard links[link].isEngineOpen else { return }
        let waiting = links[link].uplink.count
        if waiting > 0 {
            let count = streams.splits ? 1 + Int(random.below(UInt64(waiting))) : waiting
            let bytes = ByteString(Array(links[link].uplink[..<count]))
            links[link].uplink.removeFirst(count)
            let slot = links[link].slot
            let who = name(ofClient: links[link].client)
            bytes.withView { view in
                trace.note(.bytesUp, who, view, now)
                engine.bytesReceived(view, on: slot, now: time)
            }
        }
        if !links[link].uplink.isEmpty {
            scheduleUplink(link)
        } else if links[link].endsAfterUplink {
            queue.add(.cutNoticed(link: link), at: now)
        }
    }

    /// Writes the engine's output, as much as the socket takes.
    mutating func write(_ link: Int) {
        guard links[link].isEngineOpen, !links[link].awaitsWritable else { return }
        let waiting = engine.output(of: links[link].slot).count
        guard waiting > 0 else { return }
        let count = streams.writesPartially ? 1 + Int(random.below(UInt64(waiting))) : waiting
        take(count, from: link)
        guard count < waiting else { return }
        links[link].awaitsWritable = true
        queue.add(.writable(link: link), at: now + random.duration(upTo: streams.writePause))
    }

    /// Writes all that is left, before the engine's end closes.
    mutating func flush(_ link: Int) {
        let waiting = engine.output(of: links[link].slot).count
        if links[link].isEngineOpen, waiting > 0 { take(waiting, from: link) }
    }

    private mutating func take(_ count: Int, from link: Int) {
        let slot = links[link].slot
        let bytes = ByteString(engine.output(of: slot)[0..<count])
        bytes.withView { trace.note(.bytesDown, name(ofClient: links[link].client), $0, now) }
        engine.wrote(count, on: slot, now: time)
        guard links[link].isClientOpen else { return }
        links[link].downlink += bytes.bytes
        scheduleDownlink(link)
    }

    private mutating func scheduleDownlink(_ link: Int) {
        guard !links[link].isDownlinkDue else { return }
        links[link].isDownlinkDue = true
        queue.add(.downlink(link: link), at: now + random.duration(upTo: streams.delay))
    }

    mutating func downlinkArrived(_ link: Int) {
        links[link].isDownlinkDue = false
        guard links[link].isClientOpen else { return }
        let client = links[link].client
        let waiting = links[link].downlink.count
        if waiting > 0 {
            let count = streams.splits ? 1 + Int(random.below(UInt64(waiting))) : waiting
            let bytes = ByteString(Array(links[link].downlink[..<count]))
            links[link].downlink.removeFirst(count)
            use(client) { client in bytes.withView { client.receive($0) } }
        }
        if !links[link].downlink.isEmpty {
            scheduleDownlink(link)
        } else if !links[link].isEngineOpen {
            links[link].isClientOpen = false
            clients[client].link = nil
            clients[client].client.closed()
        }
    }

    /// The engine's end closes.
    mutating func end(_ link: Int) {
        guard links[link].isEngineOpen else { return }
        links[link].isEngineOpen = false
        linkOfSlot[links[link].slot] = nil
        engine.connectionEnded(links[link].slot, now: time)
        trace.note("ended", name(ofClient: links[link].client), now)
        if links[link].isClientOpen { scheduleDownlink(link) }
    }
}
