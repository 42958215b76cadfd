import Engine
import Messaging
import Reactor
import Testing
import Transport

@Suite struct ListenerTests {
    private let loopback = PeerAddress(ipv4: 0x7F00_0001, port: 0)

    private func server(_ report: @escaping (ServerEvent) -> Void = { _ in }) throws -> Server {
        try Server(settings: EngineSettings(), seed: 1, report: report)
    }

    @Test("Port 0 is any free port, and the owner hears which")
    func freePort() throws {
        var ports: [UInt16] = []
        let server = try server { event in
            if case .listening(_, let address, _) = event { ports.append(address.port) }
        }
        let opened = try server.open([
            ListenerPlan(kind: .mqtt, addresses: [loopback]), ListenerPlan(kind: .mqttsn, addresses: [loopback]),
        ])
        #expect(opened.map { $0.map(\.port) } == ports.map { [$0] })
        #expect(!ports.contains(0))
    }

    @Test(
        "An address in use is an error that says which and what to do",
        arguments: [
            ListenerPlan.Kind.mqtt, .mqttsn,
        ])
    func addressInUse(kind: ListenerPlan.Kind) throws {
        let first = try server()
        let opened = try first.open([ListenerPlan(kind: kind, addresses: [loopback])])
        let taken = try #require(opened.first?.first)
        let second = try server()
        let error = #expect(throws: ReactorError.self) {
            try second.open([ListenerPlan(kind: kind, addresses: [taken])])
        }
        let text = try #require(error).description
        #expect(text.hasPrefix("bind \(taken): Address already in use"))
        #expect(text.contains("another program listens there"))
    }

    @Test("One address of several may fail where the plan says so, and all of them may not")
    func toleratesMissingFamily() throws {
        let first = try server()
        let opened = try first.open([ListenerPlan(kind: .mqtt, addresses: [loopback])])
        let taken = try #require(opened.first?.first)
        var skipped = 0
        let second = try server { if case .skipped = $0 { skipped += 1 } }
        let some = try second.open([
            ListenerPlan(kind: .mqtt, addresses: [taken, loopback], toleratesMissingFamily: true)
        ])
        #expect(some.first?.count == 1)
        #expect(skipped == 1)
        #expect(throws: ReactorError.self) {
            try second.open([ListenerPlan(kind: .mqtt, addresses: [taken, taken], toleratesMissingFamily: true)])
        }
        #expect(throws: ReactorError.self) {
            try second.open([ListenerPlan(kind: .mqtt, addresses: [loopback, taken])])
        }
    }

    @Test("With port 0 the second address of a pair takes the port of the first")
    func samePort() throws {
        let server = try server()
        let other = PeerAddress(ipv4: 0x7F00_0002, port: 0)
        let opened = try server.open([ListenerPlan(kind: .mqtt, addresses: [loopback, other])])
        #expect(opened[0].count == 2)
        #expect(Set(opened[0].map(\.port)).count == 1)
    }
}
