internal import BrokerCore
internal import Bytes
package import Clockwork
internal import ConnectionCore
internal import GatewayCore
internal import Messaging

/// What `$SYS` said last, and when it speaks again.
struct Statistics {
    let startedAt: Now
    let interval: Duration?
    /// Due at once after the start, so that the first subscriber finds values.
    var nextDeadline: Deadline?
    /// The value published last, by the place of the topic in the list.
    private var published: [ByteString] = []
    private var connectedMax = 0
    private var residentMax = 0
    private var lastUpdate: Instant
    private var loads = [LoadAverage](repeating: LoadAverage(), count: Self.loadNames.count)
    /// Payloads handed to clients and devices, in bytes.
    var payloadBytesSent: UInt64 = 0

    /// What the averages are of, in the order of `Totals.loads`.
    fileprivate static let loadNames: [String] = [
        "messages/received", "messages/sent", "publish/received", "publish/sent", "publish/dropped", "bytes/received",
        "bytes/sent", "connections", "sockets",
    ]

    init(startedAt: Now, interval: Duration?) {
        self.startedAt = startedAt
        self.interval = interval
        lastUpdate = startedAt.instant
        nextDeadline = interval == nil ? nil : startedAt.instant
    }

    /// Takes in the moment, and returns what is to be published: what changed since the last time.
    fileprivate mutating func update(_ totals: Totals, resident: Int, now: Now) -> [Figure] {
        connectedMax = max(connectedMax, totals.connected)
        residentMax = max(residentMax, resident)
        let elapsed = now.instant.since(lastUpdate)
        lastUpdate = now.instant
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        for (index, total) in totals.loads.enumerated() { loads[index].note(total: total, elapsed: seconds) }
        var figures = totals.figures
        figures.append(Figure("uptime", "\(now.instant.since(startedAt.instant).components.seconds) seconds"))
        figures.append(Figure("clients/maximum", connectedMax))
        for (name, load) in zip(Self.loadNames, loads) {
            for (minutes, rate) in zip(LoadAverage.minutes, load.rates) {
                figures.append(Figure("load/\(name)/\(minutes)min", LoadAverage.text(rate)))
            }
        }
        // Last, since they may be missing, and each figure is known by its place.
        if resident > 0 {
            figures.append(Figure("heap/current", resident))
            figures.append(Figure("heap/maximum", residentMax))
        }
        return changed(figures)
    }

    private mutating func changed(_ figures: [Figure]) -> [Figure] {
        var changed: [Figure] = []
        for (index, figure) in figures.enumerated() {
            if index == published.count { published.append("") }
            guard published[index] != figure.value else { continue }
            published[index] = figure.value
            changed.append(figure)
        }
        return changed
    }
}

/// One topic below `$SYS/broker` and what it says.
private struct Figure {
    let name: ByteString
    let value: ByteString

    init(_ name: String, _ value: String) {
        self.name = ByteString("$SYS/broker/" + name)
        self.value = ByteString(value)
    }

    init(_ name: String, _ value: some BinaryInteger) {
        self.init(name, String(value))
    }
}

/// What has been counted, and what is held.
private struct Totals {
    var connected: Int
    /// In the order of `Statistics.loadNames`.
    var loads: [UInt64]
    var figures: [Figure]
}

extension Engine {
    /// Whether `$SYS` speaks with the next `advance(to:)`.
    package mutating func statisticsAreDue(_ now: Now) -> Bool {
        statistics.nextDeadline.map { $0 <= now.instant } ?? false
    }

    /// Publishes what changed under `$SYS/broker`, retained, under mosquitto's names where it has the same figure.
    mutating func publishStatistics(_ now: Now) {
        guard let interval = statistics.interval, statisticsAreDue(now) else { return }
        statistics.nextDeadline = now.instant + interval
        for figure in statistics.update(totals(), resident: residentBytes, now: now) {
            publishOwn(figure.name, figure.value, now)
        }
        noteDeviceQueues()
    }

    mutating func publishOwn(_ name: ByteString, _ value: ByteString, _ now: Now) {
        name.withView { topic in
            value.withView { payload in
                let publish = IncomingPublish(topic: .name(topic), qos: .atMostOnce, retain: true, payload: payload)
                broker.publish(publish, isOwn: true, now: now, into: &brokerEffects)
                settle(now)
            }
        }
    }

    private func totals() -> Totals {
        let gauges = broker.gauges
        let counters = broker.counters
        let links = connections.counters
        let connected = gauges.connectedClients + gauges.connectedDevices
        let packetsReceived = links.packetsReceived + datagramCounters.received
        let packetsSent = links.packetsSent + datagramCounters.sent
        let bytesReceived = links.bytesReceived + datagramCounters.bytesReceived
        let bytesSent = links.bytesSent + datagramCounters.bytesSent
        let loads = [
            packetsReceived, packetsSent, counters.messagesReceived.total, counters.messagesSent.total,
            counters.dropped, bytesReceived, bytesSent, counters.attachRequests, links.opened,
        ]
        let figures = [
            Figure("version", settings.version.description),
            Figure("durability", durabilityText),
            Figure("messages/received", packetsReceived),
            Figure("messages/sent", packetsSent),
            Figure("publish/messages/received", counters.messagesReceived.total),
            Figure("publish/messages/sent", counters.messagesSent.total),
            Figure("publish/messages/dropped", counters.dropped),
            Figure("publish/messages/expired", counters.expired),
            Figure("publish/messages/refused", counters.publishesRefused),
            Figure("publish/bytes/received", counters.payloadBytesReceived),
            Figure("publish/bytes/sent", statistics.payloadBytesSent),
            Figure("bytes/received", bytesReceived),
            Figure("bytes/sent", bytesSent),
        ]
        return Totals(
            connected: connected, loads: loads,
            figures: figures + holdings(gauges, connected) + devices() + deliveries())
    }

    private func holdings(_ gauges: BrokerGauges, _ connected: Int) -> [Figure] {
        let stored = gauges.heldMessages + gauges.retainedMessages
        return [
            Figure("clients/total", connected + gauges.offlineSessions),
            Figure("clients/connected", connected),
            Figure("clients/active", connected),
            Figure("clients/disconnected", gauges.offlineSessions),
            Figure("clients/inactive", gauges.offlineSessions),
            Figure("clients/expired", broker.counters.sessionsExpired),
            Figure("messages/stored", stored),
            Figure("store/messages/count", stored),
            Figure("store/messages/bytes", gauges.heldBytes + gauges.retainedBytes),
            Figure("subscriptions/count", gauges.subscriptions),
            Figure("shared_subscriptions/count", gauges.sharedSubscriptions),
            Figure("retained messages/count", gauges.retainedMessages),
        ]
    }

    /// What mosquitto has no name for.
    private func devices() -> [Figure] {
        let devices = gateway.counters
        return [
            Figure("sn/devices", devices.devicesConnected),
            Figure("sn/states/active", devices.devicesActive),
            Figure("sn/states/asleep", devices.devicesAsleep + devices.devicesAwake),
            Figure("sn/states/lost", devices.devicesLost),
            Figure("sn/states/shown", deviceTopics.count),
            Figure("sn/messages/received", datagramCounters.received),
            Figure("sn/messages/sent", datagramCounters.sent),
            Figure("sn/messages/malformed", devices.malformed),
            Figure("sn/messages/lost in full buffers", datagramsLost),
            Figure("sn/messages/retransmitted", devices.retransmitted),
            Figure("sn/messages/forwarded", devices.forwarded),
            Figure("sn/messages/forwarded/refused", devices.forwardersRefused + devices.nodeIDsTooLong),
            Figure("sn/messages/forwarded/too many devices", devices.forwardersFull),
            Figure("sn/messages/from outside", devices.outsidersIgnored),
            Figure("sn/clients refused", devices.clientsRefused),
            Figure("sn/discovery/searches", devices.groupSearches),
            Figure("sn/discovery/advertisements heard", devices.advertisementsHeard),
            Figure("sn/discovery/answers heard", devices.gatewayInfosHeard),
            Figure("sn/discovery/gateway id conflicts", devices.gatewayIDConflicts),
        ]
    }
    /// What became of every delivery: `owed` is the sum of all the others, at any moment.
    private func deliveries() -> [Figure] {
        let counters = broker.counters
        let waiting = Int64(counters.deliveriesOwed) - Int64(counters.delivered) - Int64(counters.undelivered)
        return [
            Figure("deliveries/owed", counters.deliveriesOwed),
            Figure("deliveries/made", counters.delivered),
            Figure("deliveries/waiting", waiting),
            Figure("deliveries/expired", counters.expired),
            Figure("deliveries/replaced", counters.replaced),
            Figure("deliveries/refused", counters.refusedByReceiver),
            Figure("deliveries/dropped/queue full", counters.droppedQueueFull),
            Figure("deliveries/dropped/slow client", counters.droppedSlowLink),
            Figure("deliveries/dropped/client away", counters.droppedAway),
            Figure("deliveries/dropped/undeliverable", counters.droppedUndeliverable),
            Figure("deliveries/dropped/link lost", counters.lostWithLink),
            Figure("deliveries/dropped/session ended", counters.discardedWithSession),
            Figure("deliveries/dropped/not allowed", counters.droppedNotAllowed),
            Figure("deliveries/dropped/unreadable", counters.droppedUnreadable),
        ]
    }
}
