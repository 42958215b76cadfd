internal import Bytes
internal import Messaging

/// The shared subscriptions (MQTT 5.0 §4.8.2): who belongs to which, and whose turn it is.
///
/// A group is one share name with one filter. Its members stand in three parts of one array: those that are believed
/// to take a message at once, those that are connected but busy, and those that are away. A member moves to another
/// part by changing places with the one at the border, so joining, leaving and moving cost the same however many
/// there are. The memberships of a session are a ring, the busy ones first.
struct SharedGroups {
    /// Where a member stands.
    enum Part { case ready, busy, away }

    struct Member {
        let session: UInt32
        let group: UInt32
        var options: SubscriptionOptions
        /// In the order of its group.
        fileprivate(set) var position: UInt32 = 0
        fileprivate var next: UInt32 = noMember
        fileprivate var previous: UInt32 = noMember
    }

    private struct Group {
        /// The whole filter, `$share/…/…`.
        var name = ByteString()
        /// Different for each group that there ever was: what waits names its group by it. 0 for a free place.
        var serial: UInt32 = 0
        /// The members' places: ready, then busy, then away.
        var order: [UInt32] = []
        var readyCount = 0
        var onlineCount = 0
        /// How many places into each part the next turn is.
        var readyTurn = 0
        var busyTurn = 0
        var awayTurn = 0
    }

    private var groups: [Group] = []
    private var freeGroups: [UInt32] = []
    private var groupsByName: [ByteString: UInt32] = [:]
    private var groupsBySerial: [UInt32: UInt32] = [:]
    private var lastSerial: UInt32 = 0

    private var members: [Member] = []
    private var freeMembers: [UInt32] = []
    /// From (group, session) to the member.
    private var index = HashSlots()
    private let hashing: ByteHash
    /// The first membership of each session.
    private var firstBySession: [UInt32] = []

    /// - Parameter seed: of the hash function.
    init(seed: UInt64) {
        hashing = ByteHash(seed: seed)
    }

    /// How many groups there are.
    var count: Int { groupsBySerial.count }
    /// How many memberships.
    var memberCount: Int { index.count }
}

// MARK: - Groups

extension SharedGroups {
    /// The group of this filter, `$share/…/…`.
    func group(named name: ByteString) -> UInt32? { groupsByName[name] }

    /// The group that something was waiting for; nil if it has ended since.
    func group(withSerial serial: UInt32) -> UInt32? { groupsBySerial[serial] }

    /// What deliveries name their group by, never 0.
    func serial(of group: UInt32) -> UInt32 { groups[Int(group)].serial }

    /// The filter of the group with this serial number; nil if it is no more.
    func name(ofSerial serial: UInt32) -> ByteString? {
        groupsBySerial[serial].map { groups[Int($0)].name }
    }

    /// A new group without members; the first one is to join at once.
    mutating func make(_ name: ByteString) -> UInt32 {
        repeat { lastSerial &+= 1 } while lastSerial == 0 || groupsBySerial[lastSerial] != nil
        let place = freeGroups.popLast() ?? UInt32(groups.count)
        if Int(place) == groups.count { groups.append(Group()) }
        groups[Int(place)].name = name
        groups[Int(place)].serial = lastSerial
        groupsByName[name] = place
        groupsBySerial[lastSerial] = place
        return place
    }

    private mutating func remove(_ group: UInt32) {
        groupsByName[groups[Int(group)].name] = nil
        groupsBySerial[groups[Int(group)].serial] = nil
        groups[Int(group)] = Group()
        freeGroups.append(group)
    }

    /// How many members of a group stand in a part.
    func count(_ part: Part, of group: UInt32) -> Int {
        let group = Int(group)
        switch part {
        case .ready: return groups[group].readyCount
        case .busy: return groups[group].onlineCount - groups[group].readyCount
        case .away: return groups[group].order.count - groups[group].onlineCount
        }
    }

    /// The member whose turn it is in a part that has some; the next turn is its neighbour's.
    mutating func takeTurn(_ part: Part, of group: UInt32) -> UInt32 {
        let count = count(part, of: group)
        precondition(count > 0, "nobody is there to take a turn")
        return Self.takeTurn(part, count, &groups[Int(group)])
    }

    private static func takeTurn(_ part: Part, _ count: Int, _ group: inout Group) -> UInt32 {
        switch part {
        case .ready: return group.order[next(&group.readyTurn, count)]
        case .busy: return group.order[group.readyCount + next(&group.busyTurn, count)]
        case .away: return group.order[group.onlineCount + next(&group.awayTurn, count)]
        }
    }

    /// The member that just took its turn has it again.
    mutating func giveTurnBack(_ place: UInt32) {
        let group = Int(members[Int(place)].group)
        switch part(of: place) {
        case .ready: groups[group].readyTurn = max(groups[group].readyTurn - 1, 0)
        case .busy: groups[group].busyTurn = max(groups[group].busyTurn - 1, 0)
        case .away: groups[group].awayTurn = max(groups[group].awayTurn - 1, 0)
        }
    }

    private static func next(_ turn: inout Int, _ count: Int) -> Int {
        if turn >= count { turn = 0 }
        defer { turn += 1 }
        return turn
    }
}

// MARK: - Members

extension SharedGroups {
    subscript(member: UInt32) -> Member { members[Int(member)] }

    /// The membership of a session in a group.
    func member(_ session: UInt32, of group: UInt32) -> UInt32? {
        index.find(hashing.hash(group, session)) { place in
            members[Int(place)].session == session && members[Int(place)].group == group
        }
    }

    /// Adds a session to a group, or gives it other options if it is in already.
    mutating func join(_ session: UInt32, _ group: UInt32, _ options: SubscriptionOptions, isOnline: Bool) {
        if let place = member(session, of: group) {
            members[Int(place)].options = options
            return
        }
        let place = freeMembers.popLast() ?? UInt32(members.count)
        let position = UInt32(groups[Int(group)].order.count)
        let member = Member(session: session, group: group, options: options, position: position)
        if Int(place) == members.count { members.append(member) } else { members[Int(place)] = member }
        index.insert(hashing.hash(group, session), place)
        groups[Int(group)].order.append(place)
        linkLast(place, of: session)
        if isOnline { move(place, to: .ready) }
    }

    /// Takes a session out of a group. Returns whether that was the group's end.
    mutating func leave(_ session: UInt32, _ group: UInt32) -> Bool {
        guard let place = member(session, of: group) else { return false }
        move(place, to: .away)
        exchange(members[Int(place)].position, groups[Int(group)].order.count - 1, in: group)
        groups[Int(group)].order.removeLast()
        unlink(place, of: session)
        index.remove(hashing.hash(group, session), place)
        freeMembers.append(place)
        guard groups[Int(group)].order.isEmpty else { return false }
        remove(group)
        return true
    }

    /// A member whose turn it was turned out to be busy; the turn goes to the one that takes its place.
    mutating func becameBusy(_ place: UInt32) {
        let member = members[Int(place)]
        move(place, to: .busy)
        // The busy ones stand first, so that they are found without going through all.
        unlink(place, of: member.session)
        linkLast(place, of: member.session)
        firstBySession[Int(member.session)] = place
        let turn = groups[Int(member.group)].readyTurn
        if turn > 0 { groups[Int(member.group)].readyTurn = turn - 1 }
    }

    /// Whether a session is taken to be busy in some group.
    @inline(__always)
    func isBusySomewhere(_ session: UInt32) -> Bool {
        guard Int(session) < firstBySession.count else { return false }
        let first = firstBySession[Int(session)]
        return first != noMember && part(of: first) == .busy
    }

    /// The session takes messages: it has come back, or is no longer busy.
    mutating func becameReady(_ session: UInt32) {
        forEachMembership(of: session) { groups, place in
            guard groups.part(of: place) != .ready else { return false }
            groups.move(place, to: .ready)
            return true
        }
    }

    /// The session's link is gone.
    mutating func becameAway(_ session: UInt32) {
        forEachMembership(of: session) { groups, place in
            groups.move(place, to: .away)
            return true
        }
    }

    private func part(of place: UInt32) -> Part {
        let member = members[Int(place)]
        if Int(member.position) < groups[Int(member.group)].readyCount { return .ready }
        return Int(member.position) < groups[Int(member.group)].onlineCount ? .busy : .away
    }

    /// From part to part, one border after the other.
    private mutating func move(_ place: UInt32, to part: Part) {
        let group = Int(members[Int(place)].group)
        if part != .ready, self.part(of: place) == .ready {
            groups[group].readyCount -= 1
            exchange(members[Int(place)].position, groups[group].readyCount, in: UInt32(group))
        }
        switch (self.part(of: place), part) {
        case (.busy, .away):
            groups[group].onlineCount -= 1
            exchange(members[Int(place)].position, groups[group].onlineCount, in: UInt32(group))
        case (.away, .busy), (.away, .ready):
            exchange(members[Int(place)].position, groups[group].onlineCount, in: UInt32(group))
            groups[group].onlineCount += 1
        case (.ready, _), (.busy, .ready), (.busy, .busy), (.away, .away): break
        }
        if part == .ready, self.part(of: place) == .busy {
            exchange(members[Int(place)].position, groups[group].readyCount, in: UInt32(group))
            groups[group].readyCount += 1
        }
    }

    private mutating func exchange(_ position: UInt32, _ other: Int, in group: UInt32) {
        groups[Int(group)].order.swapAt(Int(position), other)
        let (first, second) = (groups[Int(group)].order[Int(position)], groups[Int(group)].order[other])
        members[Int(first)].position = position
        members[Int(second)].position = UInt32(other)
    }
}

// MARK: - The memberships of a session

extension SharedGroups {
    private mutating func forEachMembership(
        of session: UInt32, _ body: (inout SharedGroups, UInt32) -> Bool
    ) {
        guard Int(session) < firstBySession.count else { return }
        let first = firstBySession[Int(session)]
        guard first != noMember else { return }
        var place = first
        repeat {
            guard body(&self, place) else { return }
            place = members[Int(place)].next
        } while place != first
    }

    private mutating func linkLast(_ place: UInt32, of session: UInt32) {
        while firstBySession.count <= Int(session) { firstBySession.append(noMember) }
        let first = firstBySession[Int(session)]
        guard first != noMember else {
            firstBySession[Int(session)] = place
            members[Int(place)].next = place
            members[Int(place)].previous = place
            return
        }
        let last = members[Int(first)].previous
        members[Int(place)].next = first
        members[Int(place)].previous = last
        members[Int(last)].next = place
        members[Int(first)].previous = place
    }

    private mutating func unlink(_ place: UInt32, of session: UInt32) {
        let member = members[Int(place)]
        if member.next == place {
            firstBySession[Int(session)] = noMember
            return
        }
        members[Int(member.previous)].next = member.next
        members[Int(member.next)].previous = member.previous
        if firstBySession[Int(session)] == place { firstBySession[Int(session)] = member.next }
    }
}

private let noMember = UInt32.max
