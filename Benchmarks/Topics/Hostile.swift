import BrokerCore
import Bytes
import Measuring
import Messaging

extension Main {
    /// The dearest match that clients can build within the default limits: all shapes that there may be, under one
    /// topic, from as many sessions as all subscriptions allow.
    static func hostile(sessions: Int) {
        var bench = Bench { limits in
            limits.subscriptionsMax = 200_000
            limits.subscriptionsPerSessionMax = 4_096
            limits.subscriptionLevelsMax = 500_000
            limits.routeEntriesMax = 2_000_000
        }
        let links = (0..<sessions).map { bench.attach($0) }
        for link in links {
            for pattern in 0..<4_096 {
                let levels = (0..<12).map { pattern >> $0 & 1 == 0 ? "+" : "a" }
                bench.subscribe(link, ByteString(levels.joined(separator: "/") + "/#"))
            }
        }
        let gauges = bench.broker.gauges
        var series = Series()
        for number in 0..<20 {
            let topic = ByteString("a/a/a/a/a/a/a/a/a/a/a/a/\(number)")
            series.time { bench.publish(links[0], topic) }
        }
        report("publish that \(gauges.subscriptions) overlapping subscriptions of \(sessions) match", series)
    }

    /// Retained messages: loaded, replaced, found by `#` as fast as a client can read, and cleared.
    static func retained(_ count: Int) {
        var bench = Bench()
        let link = bench.attach(0)
        func topic(_ number: Int) -> ByteString { ByteString("plant/hall-\(number % 100)/device-\(number)/state") }
        let before = residentBytes()
        var (load, replace, turns, clear) = (Series(), Series(), Series(), Series())
        for number in 0..<count {
            let topic = topic(number)
            load.time { bench.publish(link, topic, "22.5 degrees", retain: true) }
        }
        report("retain, up to \(count) topics", load)
        report("memory of one retained topic", "\((residentBytes() - before) / count) bytes", "")
        for number in 0..<count {
            let topic = topic(number)
            replace.time { bench.publish(link, topic, "23.5 degrees", retain: true) }
        }
        report("replace a retained message", replace)
        let searches: [(ByteString, Int)] = [
            ("#", count), ("+/+/+/+", count), ("plant/hall-7/+/state", count / 100),
        ]
        for (filter, expected) in searches {
            let reader = bench.attach(1)
            bench.subscribe(reader, filter)
            var found = bench.deliveries
            turns = Series()
            while bench.hasMore {
                turns.time { bench.turn() }
                found += bench.deliveries
            }
            precondition(found == expected, "\(found) of \(expected)")
            let each = "\(turns.nanoseconds * turns.count / max(expected, 1)) ns"
            report(
                "find by \(filter), for each topic; longest turn", each,
                "\(turns.milliseconds) ms")
            bench.detach(reader)
        }
        for number in 0..<count {
            let topic = topic(number)
            clear.time { bench.publish(link, topic, "", retain: true) }
        }
        report("clear a retained message", clear)
    }
}
