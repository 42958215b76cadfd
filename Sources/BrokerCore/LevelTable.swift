import Bytes

/// The levels of topics and filters, each interned once as a token while somebody uses it.
///
/// Most levels have up to 16 bytes and stand in the table itself; longer ones have an array of their own.
struct LevelTable: Sendable {
    private let hashing: ByteHash
    private var levels: [Level] = []
    private var slots = HashSlots()
    private var freeToken = noToken
    private var longNames: [[UInt8]] = []
    private var freeLongNames: [UInt32] = []
    private var longBytes = 0

    /// A short level holds its bytes; a long one its place among the long names and its hash. The next free token
    /// stands in `users` of a free one.
    private struct Level {
        var low: UInt64
        var high: UInt64
        var count: UInt32
        var users: UInt32
    }

    init(seed: UInt64) {
        hashing = ByteHash(seed: seed)
    }

    /// How many levels are in use.
    var count: Int { slots.count }

    /// Memory in bytes.
    var bytes: Int {
        levels.capacity * MemoryLayout<Level>.stride + slots.bytes + longBytes
            + longNames.capacity * MemoryLayout<[UInt8]>.stride + freeLongNames.capacity * 4
    }

    /// The token of a level, if it is in use.
    @inline(__always)
    func find(_ level: ByteView) -> UInt32? {
        if level.count <= shortBytesMax {
            let short = ShortBytes(level)
            return slots.find(hashing.hash(short)) { isLevel($0, short) }
        }
        let hash = hashing.hash(level)
        return slots.find(hash) { isLevel($0, level, hash) }
    }

    /// The token of a level, with one more user.
    mutating func acquire(_ level: ByteView) -> UInt32 {
        if let token = find(level) {
            levels[Int(token)].users += 1
            return token
        }
        let hash = hashing.hash(level)
        let token = store(makeLevel(level, hash))
        slots.insert(hash, token)
        return token
    }

    /// Takes one user away; without users the token is free for another level.
    mutating func release(_ token: UInt32) {
        levels[Int(token)].users -= 1
        guard levels[Int(token)].users == 0 else { return }
        let level = levels[Int(token)]
        if level.count <= UInt32(shortBytesMax) {
            slots.remove(hashing.hash(ShortBytes(low: level.low, high: level.high, count: Int(level.count))), token)
        } else {
            slots.remove(level.high, token)
            longNames[Int(level.low)] = []
            freeLongNames.append(UInt32(level.low))
            longBytes -= Int(level.count) + arrayHeaderBytes
        }
        levels[Int(token)].users = freeToken
        freeToken = token
    }

    /// Forgets all levels and gives the memory back.
    mutating func removeAll() {
        levels = []
        slots = HashSlots()
        freeToken = noToken
        longNames = []
        freeLongNames = []
        longBytes = 0
    }

    @inline(__always)
    private func isLevel(_ token: UInt32, _ short: ShortBytes) -> Bool {
        let level = levels[Int(token)]
        return level.low == short.low && level.high == short.high && level.count == UInt32(short.count)
    }

    private func isLevel(_ token: UInt32, _ name: ByteView, _ hash: UInt64) -> Bool {
        let level = levels[Int(token)]
        guard level.high == hash, Int(level.count) == name.count else { return false }
        return longNames[Int(level.low)].withUnsafeBytes { ByteView($0) == name }
    }

    private mutating func makeLevel(_ name: ByteView, _ hash: UInt64) -> Level {
        guard name.count > shortBytesMax else {
            let short = ShortBytes(name)
            return Level(low: short.low, high: short.high, count: UInt32(short.count), users: 1)
        }
        longBytes += name.count + arrayHeaderBytes
        let bytes = Array(name.memory)
        let place: UInt32
        if let free = freeLongNames.popLast() {
            longNames[Int(free)] = bytes
            place = free
        } else {
            place = UInt32(longNames.count)
            longNames.append(bytes)
        }
        return Level(low: UInt64(place), high: hash, count: UInt32(name.count), users: 1)
    }

    private mutating func store(_ level: Level) -> UInt32 {
        guard freeToken != noToken else {
            // The two highest tokens have meanings of their own.
            precondition(levels.count < Int(anyLevelToken))
            levels.append(level)
            return UInt32(levels.count - 1)
        }
        let token = freeToken
        freeToken = levels[Int(token)].users
        levels[Int(token)] = level
        return token
    }
}

/// No level: in a search, one that nobody uses.
let noToken = UInt32.max
/// The wildcard `+`, which stands for every level [MQTT-4.7.1-2].
let anyLevelToken = UInt32.max - 1

private let shortBytesMax = 16
private let arrayHeaderBytes = 32
