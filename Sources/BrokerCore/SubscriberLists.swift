internal import Bytes
internal import Messaging

/// Who is subscribed to what: a circular list of subscribers for each filter, all in one array, so that adding,
/// finding and removing one costs the same however many there are.
///
/// A list is known by a number that its owner gives (a topic, or a place in the tree of wildcards), and by its head,
/// which the owner keeps: `noSubscriber` while nobody is subscribed.
struct SubscriberLists {
    private var subscribers: [Subscriber] = []
    /// From (list, session) to the subscriber. A subscriber that is alone in its list needs no entry: it is the head.
    private var index = HashSlots()
    private let hashing: ByteHash
    private var free = noSubscriber

    /// How many subscribers there are in all lists.
    private(set) var count = 0

    private struct Subscriber {
        var session: UInt32
        var list: UInt32
        var options: SubscriptionOptions
        /// A free place has the next free one here.
        var next: UInt32
        var previous: UInt32
    }

    /// - Parameter seed: of the hash function.
    init(seed: UInt64) {
        hashing = ByteHash(seed: seed)
    }

    /// Memory in bytes.
    var bytes: Int { index.bytes + subscribers.capacity * MemoryLayout<Subscriber>.stride }

    /// Adds a session at the end of a list, or changes its options if it is there already; returns the older ones.
    mutating func insert(
        session: UInt32, options: SubscriptionOptions, list: UInt32, head: inout UInt32
    ) -> SubscriptionOptions? {
        if let place = find(session, list, head) {
            defer { subscribers[Int(place)].options = options }
            return subscribers[Int(place)].options
        }
        if isAlone(head) { index.insert(hashing.hash(list, subscribers[Int(head)].session), head) }
        let place = take(Subscriber(session: session, list: list, options: options, next: head, previous: head))
        count += 1
        guard head != noSubscriber else {
            subscribers[Int(place)].next = place
            subscribers[Int(place)].previous = place
            head = place
            return nil
        }
        let last = subscribers[Int(head)].previous
        subscribers[Int(place)].previous = last
        subscribers[Int(last)].next = place
        subscribers[Int(head)].previous = place
        index.insert(hashing.hash(list, session), place)
        return nil
    }

    /// Removes a session from a list and returns its options; nil if it was not there.
    mutating func remove(session: UInt32, list: UInt32, head: inout UInt32) -> SubscriptionOptions? {
        guard let place = find(session, list, head) else { return nil }
        let subscriber = subscribers[Int(place)]
        count -= 1
        if subscriber.next == place {
            head = noSubscriber
        } else {
            index.remove(hashing.hash(list, session), place)
            subscribers[Int(subscriber.previous)].next = subscriber.next
            subscribers[Int(subscriber.next)].previous = subscriber.previous
            if head == place { head = subscriber.next }
            if isAlone(head) { index.remove(hashing.hash(list, subscribers[Int(head)].session), head) }
        }
        subscribers[Int(place)].next = free
        free = place
        if count == 0, subscribers.capacity > keptSubscribersMax { giveBack() }
        return subscriber.options
    }

    /// The options of a session in a list.
    func options(session: UInt32, list: UInt32, head: UInt32) -> SubscriptionOptions? {
        find(session, list, head).map { subscribers[Int($0)].options }
    }

    /// Appends everyone in a list, in the order of subscribing.
    @inline(__always)
    func append(_ head: UInt32, to matches: inout [Match]) {
        guard head != noSubscriber else { return }
        var place = head
        repeat {
            let subscriber = subscribers[Int(place)]
            matches.append(Match(session: subscriber.session, options: subscriber.options))
            place = subscriber.next
        } while place != head
    }

    private func find(_ session: UInt32, _ list: UInt32, _ head: UInt32) -> UInt32? {
        guard head != noSubscriber else { return nil }
        if subscribers[Int(head)].session == session { return head }
        if isAlone(head) { return nil }
        return index.find(hashing.hash(list, session)) { place in
            subscribers[Int(place)].session == session && subscribers[Int(place)].list == list
        }
    }

    private func isAlone(_ head: UInt32) -> Bool {
        head != noSubscriber && subscribers[Int(head)].next == head
    }

    private mutating func take(_ subscriber: Subscriber) -> UInt32 {
        guard free != noSubscriber else {
            precondition(subscribers.count < Int(noSubscriber))
            subscribers.append(subscriber)
            return UInt32(subscribers.count - 1)
        }
        let place = free
        free = subscribers[Int(place)].next
        subscribers[Int(place)] = subscriber
        return place
    }

    private mutating func giveBack() {
        subscribers = []
        free = noSubscriber
    }
}

/// The head of a list that nobody is in.
let noSubscriber = UInt32.max

private let keptSubscribersMax = 1024
