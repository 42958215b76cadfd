/// What has to come comes at once.
extension Model {
    /// The server has done all that it was asked: nothing may be left, but what a full socket or window holds up.
    /// - Parameter backlog: the bytes of each link that wait for its socket.
    mutating func settle(backlog: (Int) -> Int) {
        for link in links.indices where links[link].phase != .gone {
            if let answer = links[link].answers.first { fault("link \(link): \(answer) did not come") }
            makeWay(on: link)
            forgetTooLong(on: link)
            let isFull = backlog(link) > rules.outputBytesMax / 2
            if isFull { takeBack(link, links[link].due.indices) }
            if let first = links[link].due.first { fault("link \(link): \(describe(first, on: link)) did not come") }
            if !isFull, let session = session(on: link) { checkSearches(session, link) }
        }
        settleShared(backlog: backlog)
    }

    /// What only an alias could have shortened did not come.
    private mutating func forgetTooLong(on link: Int) {
        for due in links[link].due where due.delivery.mayBeTooLong {
            for session in sessions.indices { sessions[session].unfinished.removeAll { $0 === due.delivery } }
            if due.delivery.packetID == nil { tally.tooLarge += 1 } else { tally.tooLargeLater += 1 }
        }
        links[link].due.removeAll { $0.delivery.mayBeTooLong }
    }

    /// Retained messages, which come when the server likes, may have taken the places of others in the window.
    private mutating func makeWay(on link: Int) {
        guard let session = session(on: link) else {
            // How the window was shared before the end is not known.
            guard !links[link].lastSearches.isEmpty else { return }
            return takeBack(link, links[link].due.indices.filter { links[link].due[$0].delivery.qos > 0 })
        }
        let excess = sessions[session].inFlight - window(of: session)
        guard excess > 0 else { return }
        let places = links[link].due.indices.filter { links[link].due[$0].delivery.qos > 0 }
        takeBack(link, places.suffix(excess))
    }

    /// What could not be said waits, but for live messages at QoS 0, which may be dropped (§4.3.1).
    private mutating func takeBack(_ link: Int, _ places: some BidirectionalCollection<Int>) {
        for place in places.reversed() {
            let delivery = links[link].due.remove(at: place).delivery
            delivery.isInFlight = false
            delivery.wasSent = delivery.packetID != nil
            if delivery.qos == 0, !delivery.canWait { tally.droppedSlow += 1 }
            // With its session it was discarded, and never sent.
            guard delivery.qos > 0, !delivery.wasSent else { continue }
            guard !sessions.contains(where: { $0.unfinished.contains { $0 === delivery } }) else { continue }
            tally.discardedSent -= 1
            tally.discardedUnsent += 1
        }
    }

    /// Where nothing else waits and the window is open, all that was retained has come.
    private mutating func checkSearches(_ session: Int, _ link: Int) {
        guard sessions[session].waiting == 0, sessions[session].inFlight < window(of: session) else { return }
        for search in sessions[session].searches {
            for topic in search.owed {
                // One that was too long when its turn came is done with.
                let versions = search.candidates.filter { $0.topic == topic }
                guard !versions.contains(where: { isTooLong($0, for: search, link) }), retained(topic) != nil else {
                    continue
                }
                fault("link \(link): what '\(text(topic))' retains did not come")
            }
        }
        sessions[session].searches = []
    }

    private func isTooLong(_ message: Message, for search: Search, _ link: Int) -> Bool {
        let delivery = Delivery(
            message, qos: min(message.qos, search.qos), retain: true, identifiers: search.identifiers)
        return publish(delivery, on: link).encoded(links[link].version).count > links[link].packetBytesMax
    }

    /// The socket of a link has room again.
    mutating func wrote(_ link: Int, backlog: Int) {
        guard backlog <= rules.outputBytesMax / 2, let session = session(on: link) else { return }
        drain(session)
    }
}
