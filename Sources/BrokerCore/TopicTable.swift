package import Bytes
package import Messaging

/// The topic names in use, each interned once as bytes, with what the broker knows of each (DESIGN §1).
///
/// A topic that somebody keeps stays. One that nobody keeps waits in a cache of `idleMax` topics and leaves it, the
/// longest unused first, when others come: its record is reset to the empty one then, and its id is given to another.
/// So whoever holds an id beyond the call that got it keeps the topic, and `forget`s it later.
package struct TopicTable<Record> {
    private let hashing: ByteHash
    private let idleMax: Int
    private let empty: Record
    private var topics: [Topic] = []
    private var records: [Record] = []
    private var slots = HashSlots()
    private var names = NameMemory()
    private var freeTopic = noTopic
    /// The idle topics, the longest unused first.
    private var idleHead = noTopic
    private var idleTail = noTopic

    /// How many topics nobody keeps.
    package private(set) var idleCount = 0

    private struct Topic {
        /// The half of the hash that the slots use.
        let tag: UInt32
        /// `UInt32.max` marks a free place.
        var keepers: UInt32 = 0
        var previous: UInt32 = noTopic
        /// A free place has the next free one here.
        var next: UInt32 = noTopic
    }

    /// - Parameters:
    ///   - seed: of the hash function; a secret, so that nobody can craft names that collide.
    ///   - idleMax: how many topics stay that nobody keeps, at least 1.
    ///   - empty: the record of a new topic.
    package init(seed: UInt64, idleMax: Int = 4096, empty: Record) {
        hashing = ByteHash(seed: seed)
        self.idleMax = max(idleMax, 1)
        self.empty = empty
    }

    /// How many topics there are, idle ones included.
    package var count: Int { slots.count }

    /// Memory in bytes of names and tables, without what records refer to.
    package var bytes: Int {
        topics.capacity * MemoryLayout<Topic>.stride + records.capacity * MemoryLayout<Record>.stride
            + slots.bytes + names.bytes
    }

    /// What the broker knows of a topic.
    package subscript(topic: TopicID) -> Record {
        @inline(__always) get { records[Int(topic.index)] }
        @inline(__always) _modify { yield &records[Int(topic.index)] }
    }
}

// MARK: - Names

extension TopicTable {
    /// The topic of this name, a new one if there is none yet. A new topic is idle, and may push out the longest
    /// unused one; an idle topic counts as used. An id that nobody keeps stands until `idleMax` others were interned
    /// or forgotten.
    package mutating func intern(_ name: ByteView) -> TopicID {
        // Never nil, since nothing is refused.
        intern(name) { _ in true } ?? TopicID(index: noTopic)
    }

    /// The same; nil if there is none yet and `isAllowed` says no: a name that is known has been looked at before.
    @inline(__always)
    package mutating func intern(_ name: ByteView, where isAllowed: (ByteView) -> Bool) -> TopicID? {
        let hash = hashing.hash(name)
        if let place = find(name, hash) {
            if topics[Int(place)].keepers == 0, place != idleTail {
                leaveIdle(place)
                enterIdle(place)
            }
            return TopicID(index: place)
        }
        guard isAllowed(name) else { return nil }
        let place = add(name, hash)
        enterIdle(place)
        evictOverflow()
        return TopicID(index: place)
    }

    /// The topic of this name, if there is one. Does not count as a use.
    package func find(_ name: ByteView) -> TopicID? {
        find(name, hashing.hash(name)).map { TopicID(index: $0) }
    }

    /// The name, in memory that stays where it is while the topic lives.
    @inline(__always)
    package func name(of topic: TopicID) -> ByteView {
        names.name(at: topic.index)
    }

    @inline(__always)
    private func find(_ name: ByteView, _ hash: UInt64) -> UInt32? {
        slots.find(hash) { place in
            names.name(at: place) == name
        }
    }

    private mutating func add(_ name: ByteView, _ hash: UInt64) -> UInt32 {
        own()
        let place = freeTopic == noTopic ? UInt32(topics.count) : freeTopic
        let topic = Topic(tag: UInt32(truncatingIfNeeded: hash))
        names.store(name, at: place)
        if freeTopic == noTopic {
            precondition(topics.count < Int(noTopic))
            topics.append(topic)
            records.append(empty)
        } else {
            freeTopic = topics[Int(place)].next
            topics[Int(place)] = topic
        }
        slots.insert(hash, place)
        return place
    }
}

// MARK: - Keepers

extension TopicTable {
    /// Counts one more who holds the id.
    package mutating func keep(_ topic: TopicID) {
        let place = topic.index
        precondition(topics[Int(place)].keepers < freeMark - 1)
        if topics[Int(place)].keepers == 0 { leaveIdle(place) }
        topics[Int(place)].keepers += 1
    }

    /// Counts one less; the last one makes the topic idle.
    package mutating func forget(_ topic: TopicID) {
        let place = topic.index
        precondition(topics[Int(place)].keepers != freeMark && topics[Int(place)].keepers > 0)
        topics[Int(place)].keepers -= 1
        guard topics[Int(place)].keepers == 0 else { return }
        enterIdle(place)
        evictOverflow()
    }

    private mutating func enterIdle(_ place: UInt32) {
        topics[Int(place)].previous = idleTail
        topics[Int(place)].next = noTopic
        if idleTail == noTopic {
            idleHead = place
        } else {
            topics[Int(idleTail)].next = place
        }
        idleTail = place
        idleCount += 1
    }

    private mutating func leaveIdle(_ place: UInt32) {
        let topic = topics[Int(place)]
        if topic.previous == noTopic {
            idleHead = topic.next
        } else {
            topics[Int(topic.previous)].next = topic.next
        }
        if topic.next == noTopic {
            idleTail = topic.previous
        } else {
            topics[Int(topic.next)].previous = topic.previous
        }
        idleCount -= 1
    }

    private mutating func evictOverflow() {
        guard idleCount > idleMax else { return }
        own()
        let place = idleHead
        leaveIdle(place)
        slots.remove(UInt64(topics[Int(place)].tag), place)
        names.free(place)
        records[Int(place)] = empty
        topics[Int(place)] = Topic(tag: 0, keepers: freeMark, next: freeTopic)
        freeTopic = place
    }

    /// Names live outside of the arrays, so a copy of the table must take its own before one of them changes.
    private mutating func own() {
        guard !isKnownUniquelyReferenced(&names) else { return }
        let fresh = NameMemory()
        for place in topics.indices where topics[place].keepers != freeMark {
            fresh.store(names.name(at: UInt32(place)), at: UInt32(place))
        }
        names = fresh
    }
}

private let noTopic = UInt32.max
private let freeMark = UInt32.max
