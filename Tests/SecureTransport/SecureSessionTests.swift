import Bytes
import Clockwork
import SecureTransport
import Testing

@Suite struct SecureSessionTests {
    private static let versions: [ClosedRange<Int32>] = [0x0303...0x0303, 0x0304...0x0304]

    private func established(
        _ settings: SecureSettings = .plain, versions: ClosedRange<Int32> = 0x0303...0x0304
    ) throws -> SecureWorld {
        let world = try SecureWorld(settings, .init(versions: versions))
        try #require(world.shakeHands() == 1)
        try #require(world.session.isEstablished)
        return world
    }

    @Test("Plaintext passes both ways, in many records too", arguments: versions)
    func data(versions: ClosedRange<Int32>) throws {
        let world = try established(versions: versions)
        for count in [1, 100, 16_384, 16_385, 60_000] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            #expect(world.client.write(bytes))
            world.exchange()
            #expect(world.takeReceived() == bytes)
            world.client.feed(try #require(world.seal(bytes)))
            #expect(world.client.read().bytes == bytes)
        }
        #expect(world.session.end == nil)
    }

    @Test("Many small packets that leave together are one record")
    func oneRecord() throws {
        let world = try established(versions: 0x0304...0x0304)
        // A head of 5 bytes, the kind of what is in it, and 16 bytes of proof.
        #expect(world.seal([UInt8](repeating: 7, count: 4_000))?.count == 4_022)
    }

    @Test("A handshake and data that come byte by byte", arguments: versions)
    func byteByByte(versions: ClosedRange<Int32>) throws {
        let world = try SecureWorld(.plain, .init(versions: versions))
        for _ in 0..<5 {
            _ = world.client.shakeHands()
            for byte in world.client.take() { world.client.feed(world.give([byte])) }
        }
        try #require(world.session.isEstablished)
        #expect(world.client.write(Array("hello".utf8)))
        for byte in world.client.take() { world.give([byte]) }
        #expect(world.takeReceived() == Array("hello".utf8))
    }

    @Test("Plain bytes on a secured port end it at once, without an answer [attack 89]")
    func plaintext() throws {
        for bytes in [Array("\u{10}\u{0d}".utf8), Array("GET / HTTP/1.1\r\n".utf8), [0], [0x15, 3, 1], [0x80, 0x2E]] {
            let world = try SecureWorld()
            #expect(world.give(bytes) == [])
            #expect(world.session.end == .handshakeFailed(.notTLS))
            #expect(world.give([1, 2, 3]) == [])
        }
        // What begins like a handshake and is none gets an alert at most.
        let odd: [[UInt8]] = [
            [0x16, 0, 0, 0, 0], [0x16, 3, 1, 0, 0], [0x16, 3, 1, 0xFF, 0xFF], [0x16, 3, 1, 0, 4, 9, 0, 0, 0],
        ]
        for bytes in odd {
            let world = try SecureWorld()
            #expect(world.give(bytes).count <= 7)
        }
    }

    @Test("TLS 1.0 and 1.1 are refused [attack 89]", arguments: [0x0301, 0x0302] as [Int32])
    func oldVersions(version: Int32) throws {
        let world = try SecureWorld(.plain, .init(versions: version...version))
        #expect(world.shakeHands() < 0)
        #expect(world.session.end == .handshakeFailed(.version))
    }

    @Test("With 1.3 as the minimum 1.2 is refused")
    func minimum() throws {
        var settings = SecureSettings.plain
        settings.versionMin = .v1_3
        let world = try SecureWorld(settings, .init(versions: 0x0303...0x0303))
        #expect(world.shakeHands() < 0)
        #expect(world.session.end == .handshakeFailed(.version))
        #expect(try established(settings).client.version == "TLSv1.3")
    }

    @Test("Suites that hide nothing, prove nothing, or do so as one did before 1.2 are refused [attack 89]")
    func weakSuites() throws {
        for suite in ["eNULL", "aNULL", "AES128-SHA", "ECDHE-ECDSA-AES128-SHA"] {
            let world = try SecureWorld(.plain, .init(versions: 0x0303...0x0303, ciphers: suite + ":@SECLEVEL=0"))
            #expect(world.shakeHands() < 0, "\(suite)")
            #expect(world.session.end == .handshakeFailed(.noCipher), "\(suite)")
        }
    }

    @Test("No session can be resumed, and none is offered [M-111]", arguments: versions)
    func noTickets(versions: ClosedRange<Int32>) throws {
        let world = try established(versions: versions)
        world.client.feed(try #require(world.seal([1])))
        #expect(world.client.read().bytes == [1])
        #expect(!world.client.hasTicket)
    }

    @Test("New keys a few times are fine; a flood of them ends the connection [attack 89]")
    func keyUpdates() throws {
        let world = try established(versions: 0x0304...0x0304)
        for _ in 0..<SecureSession.messagesPerMinuteMax / 2 {
            #expect(world.client.updateKeys())
            world.exchange()
        }
        #expect(world.session.end == nil)
        #expect(world.client.write([7]))
        world.exchange()
        #expect(world.takeReceived() == [7])
        // A minute later all is forgotten.
        world.now.instant = world.now.instant + .seconds(60)
        var flood: [UInt8] = []
        for _ in 0..<1_000 {
            _ = world.client.updateKeys()
            flood += world.client.take()
        }
        var answered = 0
        for start in stride(from: 0, to: flood.count, by: 65_536) {
            answered += world.give(flood[start..<min(start + 65_536, flood.count)]).count
        }
        #expect(world.session.end == .tooManyMessages)
        #expect(answered < 2_000)
    }

    @Test("At the limit of messages the connection goes on, one more ends it")
    func messagesAtTheLimit() throws {
        let world = try established(versions: 0x0304...0x0304)
        for number in 1...SecureSession.messagesPerMinuteMax + 1 {
            try #require(world.session.end == nil, "\(number)")
            _ = world.client.updateKeys()
            world.give(world.client.take())
        }
        #expect(world.session.end == .tooManyMessages)
    }

    @Test("Another handshake is refused with a warning, and nothing of it is begun [attack 89]")
    func renegotiation() throws {
        let world = try established(versions: 0x0303...0x0303)
        #expect(world.client.renegotiate())
        let answer = world.give(world.client.take())
        // A warning, sealed; no ServerHello.
        #expect((1..<64).contains(answer.count))
        #expect(world.session.end == nil)
    }

    @Test("close_notify is the peer's end, and ours is said once")
    func ends() throws {
        let world = try established()
        #expect(world.client.write([1, 2]))
        world.client.close()
        world.exchange()
        #expect(world.takeReceived() == [1, 2])
        #expect(world.session.end == .closedByPeer)
        #expect(world.seal([1]) == nil)

        let other = try established()
        other.client.feed(other.close())
        #expect(other.client.read().ended == -1)
        #expect(other.close() == [])
        #expect(other.session.end == .closed)
    }

    @Test("A flipped bit anywhere in a record ends the connection [attack 89]", arguments: versions)
    func flippedBits(versions: ClosedRange<Int32>) throws {
        let context = try SecureContext(.plain)
        let first = try SecureWorld(context, .init(versions: versions))
        try #require(first.shakeHands() == 1)
        first.client.write(Array("hello".utf8))
        let count = first.client.take().count
        for index in 0..<count {
            let world = try SecureWorld(context, .init(versions: versions))
            try #require(world.shakeHands() == 1)
            world.client.write(Array("hello".utf8))
            var record = world.client.take()
            record[index] ^= 1 << UInt8(index % 8)
            world.give(record + [UInt8](repeating: 0, count: 20_000))
            #expect(world.session.end != nil, "\(index)")
            #expect(world.takeReceived() == [], "\(index)")
        }
    }

    @Test("A flipped bit anywhere in a handshake never traps and never opens [attack 89]", arguments: versions)
    func flippedHandshakes(versions: ClosedRange<Int32>) throws {
        let context = try SecureContext(.plain)
        let client = try TestClient(.init(versions: versions))
        _ = client.shakeHands()
        let hello = client.take()
        for index in hello.indices {
            let world = try SecureWorld(context, .init(versions: versions))
            var bytes = hello
            bytes[index] ^= 1 << UInt8(index % 8)
            world.give(bytes)
            #expect(!world.session.isEstablished, "\(index)")
        }
        for end in hello.indices {
            let world = try SecureWorld(context, .init(versions: versions))
            #expect(world.give(hello[..<end]) == [], "\(end)")
            #expect(!world.session.isEstablished)
        }
    }

    @Test("A record that is longer than records may be ends the connection [attack 89]")
    func longRecords() throws {
        let world = try established()
        world.give([0x17, 3, 3, 0x45, 0x00] + [UInt8](repeating: 0, count: 0x4500))
        #expect(world.session.end != nil)
        let before = try SecureWorld()
        before.give([0x16, 3, 1, 0x48, 0x01] + [UInt8](repeating: 1, count: 0x4801))
        #expect(before.session.end != nil)
    }

    @Test("A handshake that does not end has a limit [attack 89]")
    func longHandshake() throws {
        let world = try SecureWorld()
        // A ClientHello that claims 128 KiB, in records of 16 KiB.
        var bytes: [UInt8] = [0x16, 3, 1, 0x40, 0x00, 1, 1, 0xFF, 0xFF]
        bytes += [UInt8](repeating: 0, count: 0x4000 - 4)
        var given = 0
        while world.session.end == nil, given < 1 << 20 {
            world.give(bytes)
            given += bytes.count
            bytes = [0x16, 3, 3, 0x40, 0x00] + [UInt8](repeating: 0, count: 0x4000)
        }
        #expect(world.session.end != nil)
        #expect(given <= SecureSession.handshakeBytesMax + 2 * 0x4005)
    }

    @Test("Empty records do not go on for ever [attack 89]")
    func emptyRecords() throws {
        let world = try established(versions: 0x0303...0x0303)
        for _ in 0..<100 { world.give([0x17, 3, 3, 0, 0]) }
        #expect(world.session.end != nil)
    }

    @Test("ALPN: mqtt is agreed on, who names nothing may come, who names others only may not [M-110]")
    func protocols() throws {
        let agreed = try SecureWorld(.plain, .init(protocolName: "mqtt"))
        #expect(agreed.shakeHands() == 1)
        #expect(agreed.client.protocolName == "mqtt")
        #expect(try established().client.protocolName == "")
        let other = try SecureWorld(.plain, .init(protocolName: "h2"))
        #expect(other.shakeHands() < 0)
        #expect(other.session.end == .handshakeFailed(.noProtocol))
        var web = SecureSettings.plain
        web.applicationProtocol = .http
        let browser = try SecureWorld(web, .init(protocolName: "http/1.1"))
        #expect(browser.shakeHands() == 1)
        #expect(browser.client.protocolName == "http/1.1")
    }

    @Test("SNI: the certificate for the name, wildcards too, else the first [M-112]")
    func serverNames() throws {
        var settings = SecureSettings.plain
        settings.pairs.append(TestCertificates.pair("other"))
        let context = try SecureContext(settings)
        let cases: [(String?, String)] = [
            (nil, "localhost"), ("localhost", "localhost"), ("other.example", "other.example"),
            ("hall-1.plant.example", "other.example"), ("a.hall-1.plant.example", "localhost"),
            ("plant.example", "localhost"), ("OTHER.example", "other.example"), ("x", "localhost"),
            ("\u{1}'\"%n*.*", "localhost"), (String(repeating: "a.", count: 120), "localhost"),
        ]
        for (name, expected) in cases {
            let world = try SecureWorld(context, .init(serverName: name))
            #expect(world.shakeHands() == 1, "\(name ?? "-")")
            #expect(world.client.server == expected, "\(name ?? "-")")
        }
    }

    @Test("A context that nobody holds any more lives as long as its sessions")
    func contextLifetime() throws {
        var context: SecureContext? = try SecureContext(.keyed)
        let world = try SecureWorld(try #require(context), .init(identity: "pump-7"))
        context = nil
        #expect(world.shakeHands() == 1)
        #expect(world.session.identity?.userName == "pump-7")
    }

    @Test("A handshake costs work, and data little")
    func work() throws {
        let world = try established()
        #expect((1_000...5_000).contains(world.work))
        let before = world.work
        world.client.write([1])
        world.exchange()
        #expect(world.work - before < 10)
    }
}
