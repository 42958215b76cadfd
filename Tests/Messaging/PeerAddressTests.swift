import Glibc
import Messaging
import Testing

@Suite struct PeerAddressTests {
    @Test(
        "An address is printed in the form it is read from",
        arguments: [
            "0.0.0.0:0", "127.0.0.1:1883", "255.255.255.255:65535", "[::]:1883", "[::1]:1883", "[1::]:1",
            "[fe80::1%2]:1883", "[2001:db8::8:800:200c:417a]:443", "[1:2:3:4:5:6:7:8]:9", "[1:0:0:2::3]:9",
            "[2001:db8:0:1:1:1:1:1]:9", "[1::2:0:0:3:4]:9",
        ])
    func roundTrip(text: String) throws {
        #expect(try #require(PeerAddress(text)).description == text)
    }

    @Test(
        "What is no numeric address is refused",
        arguments: [
            "", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "localhost:1883", "::1:1883",
            "[::1]",
            "[127.0.0.1]:1", "[]:1", "[::1:1", "1.2.3:4", "1.2.3.4.5:6", "01.2.3.4:5", "1.2.3.256:5", "[fe80::1%]:1",
            "[fe80::1%eth0]:1", "[fe80::1%4294967296]:1",
        ])
    func refused(text: String) {
        #expect(PeerAddress(text) == nil)
    }

    @Test(
        "IPv6 texts are read as inet_pton reads them",
        arguments: [
            "::", "::1", "1::", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9",
            "1:2:3:4::5:6:7:8", ":1", "1:", ":::", "1:::2", "1::2::3", "12345::", "g::", "::1.2.3.4", "::ffff:1.2.3.4",
            "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "1.2.3.4::", "::1.2.3.4:5", "ABCD:ef01::",
            ":", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:", "::1:", "0001::", "00001::",
        ])
    func sameAsSystem(text: String) {
        var bytes = in6_addr()
        let expected = inet_pton(AF_INET6, text, &bytes) == 1
        let address = PeerAddress(host: text, port: 1)
        #expect((address != nil) == expected)
        guard let address, expected else { return }
        let halves = withUnsafeBytes(of: bytes) {
            ($0.load(as: UInt64.self).bigEndian, $0.load(fromByteOffset: 8, as: UInt64.self).bigEndian)
        }
        #expect((address.high, address.low) == halves)
    }

    @Test("IPv4 and its IPv6-mapped form are one address")
    func mapped() {
        #expect(PeerAddress("[::ffff:10.0.0.1]:7") == PeerAddress("10.0.0.1:7"))
        #expect(PeerAddress(ipv4: 0x0A00_0001, port: 7) == PeerAddress("10.0.0.1:7"))
    }

    @Test("Each part tells addresses apart, in equality and in sets")
    func distinct() {
        let base = PeerAddress(high: 1, low: 2, port: 3, scopeID: 4)
        let others = [
            PeerAddress(high: 9, low: 2, port: 3, scopeID: 4), PeerAddress(high: 1, low: 9, port: 3, scopeID: 4),
            base.with(port: 9), PeerAddress(high: 1, low: 2, port: 3, scopeID: 9),
        ]
        #expect(others.allSatisfy { $0 != base })
        #expect(Set(others + [base, base]).count == 5)
    }

    @Test("A table entry is 24 bytes")
    func size() {
        #expect(MemoryLayout<PeerAddress>.stride == 24)
        #expect(MemoryLayout<DatagramPath>.stride == 56)
    }

    @Test("Both families have an address that means any")
    func unspecified() {
        #expect(PeerAddress("0.0.0.0:1")?.isUnspecified == true)
        #expect(PeerAddress("[::]:1")?.isUnspecified == true)
        #expect(PeerAddress("[::1]:1")?.isUnspecified == false)
    }
}
