internal import Bytes
internal import Clockwork
internal import ConnectionCore
internal import Engine
internal import Reactor
internal import WebSocket

/// What a WebSocket adds between a connection's socket and the engine.
extension Server {
    /// How many frames cost about as much as one unit of `Engine.workDone`.
    private static let framesPerWork: UInt64 = 4

    /// Bytes of a connection's socket on their way to the engine. Returns what they have cost, as `ReadPace` counts.
    func received(_ bytes: UnsafeMutableRawBufferPointer, on slot: Int, now: Now) -> Int {
        let before = engine.workSoFar()
        guard let webSocket = sockets[slot].webSocket else {
            take(ByteView(UnsafeRawBufferPointer(bytes)), on: slot, now: now)
            return Int(engine.workSoFar() - before)
        }
        let framesBefore = webSocket.framesReceived
        let wasOpen = webSocket.request != nil
        let payload = webSocket.receive(bytes)
        if !wasOpen, let request = webSocket.request { report(.webSocketOpened(sockets[slot].peer, request)) }
        // Pings and empty frames are no sign of life for MQTT's keep-alive [M-54].
        if !payload.isEmpty { take(payload, on: slot, now: now) }
        let frames = (webSocket.framesReceived - framesBefore) / Self.framesPerWork
        if let end = webSocket.end {
            // What came before the end is handled before it.
            if sockets[slot].rest.isEmpty { finish(slot, because: end, now: now) }
        } else if webSocket.hasOwnOutput {
            stirred.append(slot)
        }
        return Int(engine.workSoFar() - before + frames)
    }

    /// The WebSocket has ended, or never began: its answer goes out behind what MQTT had to say, and the engine hears
    /// of it.
    func finish(_ slot: Int, because end: WebSocketEnd, now: Now) {
        write(slot, now: now)
        switch end {
        case .closedByPeer: drop(slot, because: .lost, now: now)
        case .refused, .failed: drop(slot, because: .carrier("WebSocket \(end)"), now: now)
        }
    }

    /// Says Close behind what MQTT has said, where a WebSocket is open. True if the client owes an answer: until it
    /// has come the connection stays, or browsers would call the end unclean (RFC 6455 §7.1.1).
    func writeClose(_ slot: Int, now: Now) -> Bool {
        guard let webSocket = sockets[slot].webSocket, webSocket.request != nil, webSocket.end == nil else {
            return false
        }
        webSocket.close(stopsAt == nil ? .normal : .goingAway)
        write(slot, now: now)
        return true
    }

    /// Writes a connection's output in frames, as much as the system takes.
    func writeFrames(_ webSocket: WebSocketLayer, _ slot: Int, _ token: Token, now: Now) {
        // What a written frame lets the broker send has its own turn.
        var left = engine.outputToWrite(of: slot).count
        while left > 0 || webSocket.hasOwnOutput {
            let pieces = webSocket.pieces(for: engine.outputToWrite(of: slot))
            switch loop.write(token, pieces.body, pieces.framing, pieces.nextBody) {
            case .failed: return forget(slot, now: now)
            case .wrote(let count):
                let ofOutput = webSocket.wrote(count)
                if ofOutput > 0 { engine.wrote(ofOutput, on: slot, now: now) }
                left -= ofOutput
                if count < pieces.count { return }
            }
        }
    }

    // MARK: The end

    /// What a connection that ends has to say and the system has not taken: the loop goes on with it for a while. Of
    /// a connection without WebSocket all or nothing, so that no packet is cut in two that need not be.
    ///
    /// - Parameter saysEnd: whether a secured connection says, as TLS does, that nothing more comes.
    func unsent(_ slot: Int, saysEnd: Bool) -> [UInt8] {
        let plain = unsentPlaintext(slot)
        guard let secure = sockets[slot].secure else { return plain }
        return unsentRecords(of: plain, secure, slot, saysEnd: saysEnd)
    }

    private func unsentPlaintext(_ slot: Int) -> [UInt8] {
        let output = engine.outputToWrite(of: slot)
        let bytesMax = loop.limits.lingerUnsentBytesMax
        if let webSocket = sockets[slot].webSocket { return webSocket.takeRest(of: output, bytesMax: bytesMax) }
        return output.count <= bytesMax ? Array(output.memory) : []
    }

    /// Waits for the client's Close: other frames, which may have been under way, are no answer to ours.
    func lastWord(of slot: Int, now: Now) -> LastWord? {
        guard let webSocket = sockets[slot].webSocket else { return nil }
        if let secure = sockets[slot].secure { return Self.lastWord(of: webSocket, in: secure, now: now) }
        return { bytes in
            _ = webSocket.receive(bytes)
            return webSocket.end != nil
        }
    }
}
