internal import Clockwork
internal import Glibc

/// Closing in order: what was said still reaches the peer.
extension EventLoop {
    /// Closes in order: sends what is left, then the end, discards what still comes in, and frees the descriptor when
    /// the peer closes, after `LoopLimits.lingerMax` or `lingerBytesMax`.
    ///
    /// Closing at once would answer unread input with a reset, and a reset may overtake and destroy our last packet,
    /// say a DISCONNECT with its reason. The token is dead at once; its slot is used again only after the close.
    ///
    /// - Parameters:
    ///   - unsent: what the system has not taken yet. More than `lingerUnsentBytesMax`, or than
    ///     `lingersUnsentBytesMax` leaves room for, is dropped.
    ///   - lastWord: for protocols in which the peer has the last word, says whether it is in what came: the end is
    ///     sent only then. Called on the loop's thread until it says so once.
    package func finish(_ connection: Token, unsent: [UInt8] = [], until lastWord: LastWord? = nil) {
        guard let index = table.find(connection, .connection) else { return }
        table[index].kind = .lingering
        table[index].detail = 0
        lingers.append(connection, deadline: now.instant + limits.lingerMax)
        let room = min(limits.lingerUnsentBytesMax, limits.lingersUnsentBytesMax - lingers.farewellBytes)
        let kept = unsent.count <= room ? unsent : []
        if !kept.isEmpty || lastWord != nil { lingers.keep(Farewell(bytes: kept, isLastWord: lastWord), index) }
        if table[index].isPaused {
            table[index].isPaused = false
            updateInterest(index)
        }
        speak(connection)
        // A peer that closed first is done with here.
        hear(connection)
    }

    /// A closing connection has input or room.
    func linger(_ token: Token, hasInput: Bool, hasRoom: Bool) {
        if hasRoom { speak(token) }
        if hasInput { hear(token) }
    }

    /// Sends what is left, and the end once the peer has said its last word.
    private func speak(_ token: Token) {
        guard let index = table.find(token, .lingering) else { return }
        let count = lingers.farewells[index].map { send($0, table[index].descriptor) } ?? 0
        guard count >= 0 else { return release(index) }
        lingers.sent(count, index)
        let farewell = lingers.farewells[index]
        let hasUnsent = farewell?.hasUnsent ?? false
        setArmed(index, hasUnsent)
        guard !hasUnsent, farewell?.isLastWord == nil else { return }
        lingers.forgetFarewell(index)
        // The peer ended before us, or is gone.
        if table[index].isPaused || shutdown(table[index].descriptor, Int32(SHUT_WR)) != 0 { release(index) }
    }

    /// How many bytes the system took; negative if the peer can get none any more.
    private func send(_ farewell: Farewell, _ descriptor: Int32) -> Int {
        guard farewell.hasUnsent else { return 0 }
        let count = farewell.bytes.withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[farewell.sentCount...])
            return Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
        }
        return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : count
    }

    /// Reads once, for the peer's last word; else nobody wants it.
    private func hear(_ token: Token) {
        guard let index = table.find(token, .lingering) else { return }
        // What epoll tells of a connection whose input has ended is that it broke.
        if table[index].isPaused { return release(index) }
        let lastWord = lingers.farewells[index]?.isLastWord
        var isLastWord = false
        let count = withUnsafeTemporaryAllocation(byteCount: 16 * 1024, alignment: 16) { buffer in
            let count = recv(table[index].descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0, let lastWord { isLastWord = lastWord(.init(rebasing: buffer[..<count])) }
            return count
        }
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
        guard count > 0 else { return inputEnded(index, inOrder: count == 0) }
        table[index].detail += UInt32(count)
        if table[index].detail > limits.lingerBytesMax {
            counters.lingersCut += 1
            return release(index)
        }
        if isLastWord {
            lingers.heard(index)
            speak(token)
        }
    }

    /// The peer says nothing more, but may still read: what is left is sent.
    private func inputEnded(_ index: Int, inOrder: Bool) {
        guard inOrder, lingers.farewells[index]?.hasUnsent == true else { return release(index) }
        lingers.heard(index)
        table[index].isPaused = true
        updateInterest(index)
    }

    /// Cuts off the peers that had their time, and the oldest of too many.
    func cutLingers() {
        while lingers.nextDeadline <= now.instant || lingers.live > limits.lingersMax {
            guard let token = lingers.popFirst() else { return }
            guard let index = table.find(token, .lingering) else { continue }
            counters.lingersCut += 1
            release(index)
        }
    }
}
