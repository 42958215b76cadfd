internal import BrokerCore
internal import Bytes
internal import Clockwork
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
    var published: [ByteString] = []
    var connectedMax = 0

    init(startedAt: Now, interval: Duration?) {
        self.startedAt = startedAt
        self.interval = interval
        nextDeadline = interval == nil ? nil : startedAt.instant
    }
}

extension Engine {
    /// Publishes what changed under `$SYS/broker`, retained, under mosquitto's names where it has the same figure.
    mutating func publishStatistics(_ now: Now) {
        guard let interval = statistics.interval, let due = statistics.nextDeadline, due <= now.instant else { return }
        statistics.nextDeadline = now.instant + interval
        let figures = figures(now)
        for (index, figure) in figures.enumerated() {
            if index == statistics.published.count { statistics.published.append("") }
            guard statistics.published[index] != figure.value else { continue }
            statistics.published[index] = figure.value
            publishOwn(figure.name, figure.value, now)
        }
    }

    private mutating func publishOwn(_ name: StaticString, _ value: ByteString, _ now: Now) {
        let topic = ByteView(start: name.utf8Start, count: name.utf8CodeUnitCount)
        value.withView { payload in
            let publish = IncomingPublish(topic: .name(topic), qos: .atMostOnce, retain: true, payload: payload)
            broker.publish(publish, isOwn: true, now: now, into: &brokerEffects)
            settle(now)
        }
    }

    private mutating func figures(_ now: Now) -> [(name: StaticString, value: ByteString)] {
        let gauges = broker.gauges
        let counters = broker.counters
        let links = connections.counters
        let devices = gateway.counters
        let connected = gauges.connectedClients + gauges.connectedDevices
        statistics.connectedMax = max(statistics.connectedMax, connected)
        let uptime = now.instant.since(statistics.startedAt.instant).components.seconds
        func number(_ value: some BinaryInteger) -> ByteString { ByteString(String(value)) }
        return [
            ("$SYS/broker/version", settings.version),
            ("$SYS/broker/uptime", ByteString("\(uptime) seconds")),
            ("$SYS/broker/clients/total", number(connected + gauges.offlineSessions)),
            ("$SYS/broker/clients/connected", number(connected)),
            ("$SYS/broker/clients/disconnected", number(gauges.offlineSessions)),
            ("$SYS/broker/clients/maximum", number(statistics.connectedMax)),
            ("$SYS/broker/messages/received", number(links.packetsReceived + datagramCounters.received)),
            ("$SYS/broker/messages/sent", number(links.packetsSent + datagramCounters.sent)),
            ("$SYS/broker/messages/stored", number(gauges.heldMessages + gauges.retainedMessages)),
            ("$SYS/broker/publish/messages/received", number(counters.messagesReceived.total)),
            ("$SYS/broker/publish/messages/sent", number(counters.messagesSent.total)),
            ("$SYS/broker/publish/messages/dropped", number(counters.dropped)),
            ("$SYS/broker/publish/messages/expired", number(counters.expired)),
            ("$SYS/broker/publish/messages/refused", number(counters.publishesRefused)),
            ("$SYS/broker/bytes/received", number(links.bytesReceived + datagramCounters.bytesReceived)),
            ("$SYS/broker/bytes/sent", number(links.bytesSent + datagramCounters.bytesSent)),
            ("$SYS/broker/subscriptions/count", number(gauges.subscriptions)),
            ("$SYS/broker/retained messages/count", number(gauges.retainedMessages)),
            ("$SYS/broker/store/messages/count", number(gauges.heldMessages + gauges.retainedMessages)),
            ("$SYS/broker/store/messages/bytes", number(gauges.heldBytes + gauges.retainedBytes)),
            ("$SYS/broker/sn/devices", number(devices.devicesConnected)),
            ("$SYS/broker/sn/devices/active", number(devices.devicesActive)),
            ("$SYS/broker/sn/devices/asleep", number(devices.devicesAsleep + devices.devicesAwake)),
            ("$SYS/broker/sn/devices/lost", number(devices.devicesLost)),
            ("$SYS/broker/sn/messages/received", number(datagramCounters.received)),
            ("$SYS/broker/sn/messages/sent", number(datagramCounters.sent)),
            ("$SYS/broker/sn/messages/malformed", number(devices.malformed)),
            ("$SYS/broker/sn/messages/retransmitted", number(devices.retransmitted)),
        ] + deliveryFigures
    }
}
