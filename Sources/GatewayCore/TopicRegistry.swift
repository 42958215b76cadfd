internal import Messaging

/// The topics that one device knows by number (§6.5, §6.7, §7.3).
///
/// Normal ids follow each other from the registry's base, so that a PUBLISH finds its topic by array index; an id keeps
/// its topic for the session's life [D-03]. The broker keeps a topic interned for each entry.
struct TopicRegistry {
    /// Whether a device can be sent PUBLISH under a normal id.
    enum Knowledge: UInt8 {
        /// It must be told first, by REGISTER (§6.10).
        case unknown
        case known
        /// It answered REGISTER with a refusal: the topic is not delivered in this session [D-06].
        case refused
    }

    struct Entry {
        var topic: TopicID
        var knowledge: Knowledge
        /// Whether the topic is one of the server's own, which devices may read and not write [MQTT-4.7.2-1].
        var isServers = false
    }

    /// A topic that the device subscribed to by a predefined id or by a short name, and wants to receive so.
    struct Alias {
        var topic: TopicID
        var reference: TopicReference
        /// Whether the device's refusal of it was logged [D-07].
        var isRefusalLogged = false
    }

    /// In order of their ids.
    private(set) var entries = TopicEntries()
    private(set) var aliases: [Alias] = []
    /// The first entry that the store does not have as it is.
    private(set) var unwrittenFrom: UInt16 = 0
    /// How many entries the journal was told of with an earlier batch than the present one.
    private var settledCount: UInt16 = 0
    /// Whether the store has something that is no longer so.
    private(set) var isStale = false

    /// The topic that a device means by the normal id `base` + 1 + index in its PUBLISH.
    @inline(__always)
    func topic(at index: Int) -> TopicID? {
        index >= 0 && index < entries.count && !entries[index].isServers ? entries[index].topic : nil
    }

    /// The place of `topic` among the normal ids.
    func index(of topic: TopicID) -> Int? {
        entries.firstIndex { $0.topic == topic }
    }

    /// The predefined id or short name that the device uses for `topic`.
    func alias(of topic: TopicID) -> TopicReference? {
        aliases.first { $0.topic == topic }?.reference
    }

    /// Gives a topic the next id and returns its index.
    mutating func append(_ entry: Entry) -> Int {
        entries.append(entry)
        return entries.count - 1
    }

    mutating func setKnowledge(_ knowledge: Knowledge, at index: Int) {
        guard index >= 0, index < entries.count, entries[index].knowledge != knowledge else { return }
        entries[index].knowledge = knowledge
        unwrittenFrom = min(unwrittenFrom, UInt16(index))
    }

    /// The device may have been restarted: it is told again before the next PUBLISH [D-03].
    mutating func doubtAll() {
        for index in entries.indices where entries[index].knowledge == .known {
            entries[index].knowledge = .unknown
            unwrittenFrom = min(unwrittenFrom, UInt16(index))
        }
    }

    /// Remembers that the device calls `topic` by `reference`. True if the topic had no alias before.
    mutating func setAlias(_ reference: TopicReference, for topic: TopicID) -> Bool {
        isStale = true
        if let index = aliases.firstIndex(where: { $0.topic == topic }) {
            aliases[index] = Alias(topic: topic, reference: reference)
            return false
        }
        aliases.append(Alias(topic: topic, reference: reference))
        return true
    }

    /// Forgets the alias of `topic`. True if there was one.
    mutating func removeAlias(of topic: TopicID) -> Bool {
        guard let index = aliases.firstIndex(where: { $0.topic == topic }) else { return false }
        isStale = true
        aliases.remove(at: index)
        return true
    }

    /// Forgets the alias `reference` and returns its topic.
    mutating func removeAlias(_ reference: TopicReference) -> TopicID? {
        guard let index = aliases.firstIndex(where: { $0.reference == reference }) else { return nil }
        isStale = true
        return aliases.remove(at: index).topic
    }

    /// Forgets all of them.
    mutating func removeAll() {
        self = TopicRegistry()
        isStale = true
    }

    /// What the store is told of an entry. That the device knows a new id is told with a later batch, when the answer
    /// that says the id has left: a gateway that ends before that must not believe it [D-103].
    func storedKnowledge(at index: Int) -> Knowledge {
        let knowledge = entries[index].knowledge
        return knowledge == .known && index >= Int(settledCount) ? .unknown : knowledge
    }

    /// The journal has everything as `storedKnowledge` says.
    mutating func noteWritten() {
        let doubted = entries.indices.dropFirst(Int(settledCount)).first { entries[$0].knowledge == .known }
        unwrittenFrom = UInt16(doubted ?? entries.count)
        isStale = false
    }

    /// Whether the journal was told of new entries since `settle`.
    var hasFresh: Bool { settledCount < entries.count }

    /// The batch with the first `count` entries has been taken.
    mutating func settle(_ count: Int) { settledCount = UInt16(min(count, entries.count)) }

    /// Takes an entry that the store has so.
    mutating func restore(_ entry: Entry) {
        if Int(unwrittenFrom) == entries.count { unwrittenFrom += 1 }
        entries.append(entry)
        settledCount += 1
    }

    /// Takes an alias that the store has so.
    mutating func restore(_ alias: Alias) { aliases.append(alias) }

    /// True the first time that it is asked for this alias [D-07].
    mutating func shouldLogRefusal(of reference: TopicReference) -> Bool {
        guard let index = aliases.firstIndex(where: { $0.reference == reference }) else { return false }
        defer { aliases[index].isRefusalLogged = true }
        return !aliases[index].isRefusalLogged
    }
}
