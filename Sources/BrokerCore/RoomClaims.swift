/// What a message would take of windows and queues, where publishers are refused: asked about before anything is done
/// with it. A session in several groups may get it several times, and needs room for each.
///
/// Without a question under way nothing is claimed. A table by session, with the number of the question that each
/// claim belongs to: a new question costs nothing, however many there were before.
struct RoomClaims {
    /// What one session would take.
    struct Claim {
        /// Deliveries that would go out at once.
        var started: UInt32 = 0
        /// Deliveries that would wait.
        var queued: UInt32 = 0
        fileprivate var question: UInt64 = 0
    }

    private var claims: [Claim] = []
    private var question: UInt64 = 0
    private var isAsking = false
    /// Places in all queues.
    private(set) var places = 0

    /// What is claimed of a session.
    subscript(slot: Int) -> (started: Int, queued: Int, isNone: Bool) {
        guard isAsking, slot < claims.count, claims[slot].question == question else { return (0, 0, true) }
        return (Int(claims[slot].started), Int(claims[slot].queued), false)
    }

    /// A question begins.
    mutating func begin() {
        question += 1
        isAsking = true
        places = 0
    }

    /// The question is answered.
    mutating func end() { isAsking = false }

    /// One delivery more would go out at once.
    mutating func start(_ slot: Int) {
        prepare(slot)
        claims[slot].started += 1
    }

    /// One delivery more would wait.
    mutating func queue(_ slot: Int) {
        prepare(slot)
        claims[slot].queued += 1
        places += 1
    }

    private mutating func prepare(_ slot: Int) {
        while claims.count <= slot { claims.append(Claim()) }
        if claims[slot].question != question { claims[slot] = Claim(question: question) }
    }
}
