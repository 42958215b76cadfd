import Authentication
import Bytes
import Clockwork
import MQTTWire
import Messaging
import Support
import Testing

@testable import ConnectionCore

@Suite struct VerifyTests {
    private static func users(_ password: String = "secret") throws -> PasswordUsers {
        PasswordUsers(["alice": try PasswordVerifier(password: Array(password.utf8), salt: [1], iterations: 1)])
    }

    private static func world(anonymous: Bool = false) throws -> ConnectionWorld {
        let users = try users()
        return ConnectionWorld { limits in
            var listener = ConnectionLimits.Listener()
            listener.passwordUsers = users
            listener.allowsAnonymous = anonymous
            limits.listeners = [listener]
        }
    }

    private static func connect(_ version: ProtocolVersion, _ user: String, _ password: String) throws -> [UInt8] {
        let flags = user.isEmpty ? (password.isEmpty ? "02" : "42") : "c2"
        let rest = [user, password].filter { !$0.isEmpty }
        return try ConnectionCoreTests.connect(
            version, flags: flags, rest: try rest.map { try sized("'\($0)'", bytes: 2) }.joined(separator: " "))
    }

    @Test("The right password lets its user in, and nobody hears before it was checked", arguments: versions)
    func passes(version: ProtocolVersion) throws {
        let world = try Self.world()
        let slot = try world.open()
        world.feed(slot, try Self.connect(version, "alice", "secret"))
        #expect(world.connections.isVerifying(slot))
        #expect(world.asked(slot).isEmpty && world.heard(slot).isEmpty)
        // What comes meanwhile is handled behind CONNACK (MQTT 5.0 §3.1.4).
        world.feed(slot, try packet("30", "0001 'a' \(version == .v5 ? "00" : "") 'x'"))
        world.check()
        world.feedHeld()
        let asked = world.asked(slot)
        #expect(asked.count == 2 && asked[0].contains("alice") && asked[1] == "publish a x qos=0", "\(asked)")
        #expect(world.heard(slot).first?.hasPrefix("CONNACK") == true)
    }

    @Test(
        "A wrong password, and a user who is not there, get the same answer [MQTT-3.1.4-1] [attack 90]",
        arguments: versions)
    func fails(version: ProtocolVersion) throws {
        let world = try Self.world(anonymous: true)
        var answers: [[String]] = []
        for (user, password) in [("alice", "wrong"), ("bob", "secret")] {
            let slot = try world.open()
            world.feed(slot, try Self.connect(version, user, password))
            world.check()
            #expect(world.isClosing(slot) && world.asked(slot).isEmpty)
            answers.append(world.heard(slot))
        }
        #expect(answers[0] == answers[1] && answers[0].count == 1)
        #expect(world.connections.counters.authenticationsFailed == 2)
    }

    @Test("Who names nobody comes in where that is allowed alone", arguments: [true, false])
    func nobody(anonymous: Bool) throws {
        let world = try Self.world(anonymous: anonymous)
        let slot = try world.open()
        world.feed(slot, try Self.connect(.v5, "", ""))
        #expect(world.isClosing(slot) == !anonymous)
        let passwordAlone = try world.open()
        world.feed(passwordAlone, try Self.connect(.v5, "", "secret"))
        #expect(world.isClosing(passwordAlone) == !anonymous)
    }

    @Test("The answer to a check is nobody's when its connection is gone, also if another has its slot")
    func goneMeanwhile() throws {
        let world = try Self.world()
        let slot = try world.open()
        world.feed(slot, try Self.connect(.v5, "alice", "secret"))
        let check = try #require(world.checks.last)
        world.checks = []
        world.end(slot)
        #expect(try world.open() == slot)
        world.checked(check.slot, check.ticket, .passed)
        world.feed(slot, try Self.connect(.v5, "alice", "wrong"))
        world.checked(check.slot, check.ticket, .passed)
        #expect(world.connections.isVerifying(slot) && world.asked(slot).isEmpty)
        world.check()
        #expect(world.isClosing(slot))
    }

    @Test("With too many checks on their way a client hears that the server is busy")
    func busy() throws {
        let world = try Self.world()
        let slot = try world.open()
        world.feed(slot, try Self.connect(.v5, "alice", "secret"))
        let check = try #require(world.checks.last)
        world.checks = []
        world.checked(check.slot, check.ticket, .busy)
        #expect(world.heard(slot).first?.contains("serverBusy") == true && world.isClosing(slot))
    }

    @Test("A check that takes longer than connect_timeout ends the connection [attack 44]")
    func timeout() throws {
        let world = try Self.world()
        let slot = try world.open()
        world.feed(slot, try Self.connect(.v5, "alice", "secret"))
        world.advance(.seconds(5))
        #expect(world.isClosing(slot))
    }

    @Test("Other users in the file: who has another password by now, or none, is ended [M-120]")
    func reload() throws {
        for (password, stays) in [("secret", true), ("other", false)] {
            let world = try Self.world()
            let slot = try world.open()
            world.feed(slot, try Self.connect(.v5, "alice", "secret"))
            world.check()
            _ = world.heard(slot)
            var listener = ConnectionLimits.Listener()
            listener.passwordUsers = try Self.users(password)
            listener.allowsAnonymous = false
            world.setListenerRules([listener])
            #expect(world.isClosing(slot) == !stays)
            #expect(world.heard(slot) == (stays ? [] : ["DISCONNECT notAuthorized"]))
        }
    }
}
