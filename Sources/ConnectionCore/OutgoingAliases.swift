internal import Bytes
internal import Messaging

/// The aliases that stand for topic names on the way to one client (MQTT 5.0 §3.3.2.3.4).
///
/// Each alias remembers the name that the client was told: the interned topic only finds it fast, since its number may
/// be given to another name once nobody keeps the topic. So an alias never asks the broker to keep a topic for it.
///
/// While there are aliases left, each new topic gets one. Then they go to what is used: a hit gives its alias a point,
/// a topic without an alias takes a point from the next one in turn, and the one that has none left is replaced. A
/// client that hears more topics than it has aliases, over and over, so keeps most of them, and topics that have gone
/// quiet give theirs up.
struct OutgoingAliases {
    /// Where a topic stands.
    enum Place: Equatable {
        /// The client knows the topic by this alias.
        case known(UInt16)
        /// The alias is the topic's, once the client is told: `assign` then notes it.
        case free(UInt16)
        /// The topic goes by its name.
        case none
    }

    private struct Entry {
        var topic: TopicID
        var name: ByteString
        var points: UInt8
    }

    /// A shorter name costs less than the three bytes of an alias.
    static let nameBytesMin = 4
    /// How many misses an alias outlives at most, for each time round.
    static let pointsMax: UInt8 = 3

    /// How many the client takes [MQTT-3.1.2-26], or 0 [MQTT-3.1.2-27].
    let countMax: UInt16
    private var entries: [Entry] = []
    /// The alias that the next miss takes a point from.
    private var hand = 0

    init(countMax: UInt16 = 0) {
        self.countMax = countMax
    }

    /// The alias of a topic, or the one that it may have.
    mutating func place(of topic: TopicID, _ name: ByteView) -> Place {
        guard name.count >= Self.nameBytesMin, countMax > 0 else { return .none }
        for index in entries.indices where entries[index].topic == topic {
            guard entries[index].name.withView({ $0 == name }) else { continue }
            if entries[index].points < Self.pointsMax { entries[index].points += 1 }
            return .known(UInt16(index + 1))
        }
        if entries.count < Int(countMax) { return .free(UInt16(entries.count + 1)) }
        let candidate = hand
        hand = hand + 1 == entries.count ? 0 : hand + 1
        guard entries[candidate].points > 0 else { return .free(UInt16(candidate + 1)) }
        entries[candidate].points -= 1
        return .none
    }

    /// The client was told what `alias`, which `place` said was free, stands for from now on.
    mutating func assign(_ alias: UInt16, _ topic: TopicID, _ name: ByteView) {
        let entry = Entry(topic: topic, name: ByteString(name), points: 1)
        let index = Int(alias) - 1
        if index < entries.count { entries[index] = entry } else { entries.append(entry) }
    }
}
