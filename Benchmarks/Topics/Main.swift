import BrokerCore
import Bytes
import Measuring
import Messaging

/// `bench-topics [--quick]`: what subscriptions, matches and retained messages cost when there are very many.
@main
enum Main {
    static func main() {
        let isQuick = CommandLine.arguments.contains("--quick")
        let scale = isQuick ? 100 : 1
        print("| what | each | longest |\n| --- | --: | --: |")
        subscriptions(exact: 1_000_000 / scale, wildcards: 100_000 / scale)
        for count in [25_000, 50_000, 100_000] { oneTopic(count / scale) }
        for count in [250_000, 500_000, 1_000_000] { curve(count / scale) }
        hostile(sessions: isQuick ? 2 : 24)
        retained(100_000 / scale)
    }

    private static func exactFilter(_ number: Int) -> ByteString {
        ByteString("plant/hall-\(number % 100)/device-\(number)/temperature")
    }

    private static func wildcardFilter(_ number: Int) -> ByteString {
        switch number % 3 {
        case 0: ByteString("plant/+/device-\(number)/#")
        case 1: ByteString("+/hall-\(number % 100)/device-\(number)/temperature")
        default: ByteString("plant/hall-\(number % 100)/device-\(number)/+")
        }
    }

    /// A thousand subscriptions for each session.
    private static func subscriptions(exact: Int, wildcards: Int) {
        var bench = Bench()
        let links = (0..<max(exact / 1_000, 1)).map { bench.attach($0) }
        var before = residentBytes()
        var series = Series()
        for number in 0..<exact {
            let filter = exactFilter(number)
            series.time { bench.subscribe(links[number % links.count], filter) }
        }
        report("subscribe, exact, up to \(exact)", series)
        memory("memory of one exact subscription", residentBytes() - before, exact)
        let held = bench.broker.memory
        memory("… its topic, as we count it", held.topics, exact)
        memory("… its place in the topic's list, as we count it", held.exactSubscriptions, exact)
        matches(&bench, "exact alone", exact, links[0])

        before = residentBytes()
        series = Series()
        for number in 0..<wildcards {
            let filter = wildcardFilter(number)
            series.time { bench.subscribe(links[number % links.count], filter) }
        }
        report("subscribe, with wildcards, up to \(wildcards)", series)
        memory("memory of one subscription with wildcards", residentBytes() - before, wildcards)
        memory("… its place in the tree, as we count it", bench.broker.memory.wildcardSubscriptions, wildcards)
        matches(&bench, "exact and wildcards", exact, links[0])
        leave(&bench, links, exact, wildcards)
    }

    private static func memory(_ what: String, _ bytes: Int, _ count: Int) {
        report(what, "\(bytes / max(count, 1)) bytes", "")
    }

    private static func matches(_ bench: inout Bench, _ what: String, _ count: Int, _ link: LinkID) {
        let rounds = min(count, 200_000)
        var (first, again, miss, beside) = (Series(), Series(), Series(), Series())
        for number in 0..<rounds {
            let topic = exactFilter(number * 7 % count)
            first.time { bench.publish(link, topic) }
            again.time { bench.publish(link, topic) }
            let missing = ByteString("plant/hall-\(number % 100)/nobody-\(number)/temperature")
            miss.time { bench.publish(link, missing) }
        }
        for number in 0..<rounds / 10 {
            bench.subscribe(link, "churn/+")
            let topic = exactFilter(number * 7 % count)
            beside.time { bench.publish(link, topic) }
            bench.unsubscribe(link, "churn/+")
        }
        report("publish, first on its topic, \(what)", first)
        report("publish, again, \(what)", again)
        report("publish, nobody is subscribed, \(what)", miss)
        report("publish, after a wildcard changed, \(what)", beside)
    }

    private static func leave(_ bench: inout Bench, _ links: [LinkID], _ exact: Int, _ wildcards: Int) {
        var series = Series()
        for number in 0..<wildcards {
            let filter = wildcardFilter(number)
            series.time { bench.unsubscribe(links[number % links.count], filter) }
        }
        report("unsubscribe, with wildcards", series)
        series = Series()
        for number in 0..<exact {
            let filter = exactFilter(number)
            series.time { bench.unsubscribe(links[number % links.count], filter) }
        }
        report("unsubscribe, exact", series)
    }

    /// Everybody subscribes to one topic, and leaves it.
    private static func oneTopic(_ count: Int) {
        var bench = Bench()
        let links = (0..<count).map { bench.attach($0) }
        var (enter, leave, publish) = (Series(), Series(), Series())
        for link in links { enter.time { bench.subscribe(link, "news") } }
        for _ in 0..<5 { publish.time { bench.publish(links[0], "news") } }
        for link in links { leave.time { bench.unsubscribe(link, "news") } }
        report("subscribe to one topic of \(count) subscribers", enter)
        report("unsubscribe from it", leave)
        report("publish to it, for each subscriber", "\(publish.nanoseconds / count) ns", "")
    }

    /// One session with very many subscriptions: does one more cost more?
    private static func curve(_ count: Int) {
        var bench = Bench()
        let link = bench.attach(0)
        var (enter, leave) = (Series(), Series())
        for number in 0..<count { bench.subscribe(link, exactFilter(number)) }
        for number in count..<count + 1_000 {
            let filter = exactFilter(number)
            enter.time { bench.subscribe(link, filter) }
            leave.time { bench.unsubscribe(link, filter) }
        }
        report("subscribe as one of \(count) of a session", enter)
        report("unsubscribe as one of them", leave)
    }
}
