package import Bytes
package import Messaging

/// The topic names in use, each interned once as bytes, with what the broker knows of each (DESIGN §1).
///
/// A topic that somebody keeps stays. One that nobody keeps waits in a cache of `idleMax` topics and leaves it, the
/// longest unused first, when others come: its record is reset to the empty one then, and its id is given to another.
/// So whoever holds an id beyond the call that got it keeps the topic, and `forget`s it later.
package struct TopicTable<Record> {
    private var empty: Record

    /// - Parameters:
    ///   - seed: of the hash function; a secret, so that nobody can craft names that collide.
    ///   - idleMax: how many topics stay that nobody keeps, at least 1.
    ///   - empty: the record of a new topic.
    package init(seed: UInt64, idleMax: Int = 4096, empty: Record) {
        self.empty = empty
    }

    /// How many topics there are, idle ones included.
    package var count: Int { 0 }

    /// How many of them nobody keeps.
    package var idleCount: Int { 0 }

    /// Memory in bytes of names and tables, without what records refer to.
    package var bytes: Int { 0 }

    /// The topic of this name, a new one if there is none yet. Marks an idle topic as used; a new topic is idle, and
    /// may push the longest unused one out. The id stands until `idleMax - 1` other topics have become idle.
    package mutating func intern(_ name: ByteView) -> TopicID { TopicID(index: 0) }

    /// The topic of this name, if there is one.
    package func find(_ name: ByteView) -> TopicID? { nil }

    /// The name, in memory that stays where it is while the topic lives.
    package func name(of topic: TopicID) -> ByteView { .empty }

    /// Counts one more who holds the id.
    package mutating func keep(_ topic: TopicID) {}

    /// Counts one less; the last one makes the topic idle.
    package mutating func forget(_ topic: TopicID) {}

    /// What the broker knows of a topic.
    package subscript(topic: TopicID) -> Record {
        get { empty }
        _modify { yield &empty }
    }
}
