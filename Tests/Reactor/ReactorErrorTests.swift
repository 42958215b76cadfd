import Glibc
import Messaging
import Reactor
import Testing

@Suite struct ReactorErrorTests {
    @Test("An error is one line: the call, the address, the reason, what to do")
    func line() {
        let address = PeerAddress(ipv4: 0x7F00_0001, port: 1883)
        #expect(
            ReactorError(.bind, code: EADDRINUSE, address: address).description
                == "bind 127.0.0.1:1883: Address already in use (another program listens there: stop it or choose "
                + "another port)")
        #expect(ReactorError(.send, code: EPIPE).description == "send: Broken pipe")
        #expect(ReactorError(.send, code: 99_999).description == "send: unknown error")
    }

    @Test("Binding to an address of another machine says so")
    func foreignAddress() throws {
        let loop = try EventLoop()
        let address = try #require(PeerAddress("192.0.2.1:0"))
        #expect(throws: ReactorError(.bind, code: EADDRNOTAVAIL, address: address)) {
            _ = try loop.bindDatagrams(on: address)
        }
    }

    @Test("Names and numbers are resolved")
    func resolving() throws {
        #expect(try resolve(host: "127.0.0.1", port: 7) == [PeerAddress(ipv4: 0x7F00_0001, port: 7)])
        #expect(try resolve(host: "::1", port: 7) == [PeerAddress(high: 0, low: 1, port: 7)])
        #expect(try resolve(host: "localhost", port: 7).allSatisfy { $0.host == "127.0.0.1" || $0.host == "::1" })
        #expect(throws: ReactorError(.getaddrinfo, code: EAI_NONAME)) { try resolve(host: "not a name", port: 7) }
    }
}
