import Bytes
import Messaging
import Testing

@Suite struct DeviceUsersTests {
    private func user(_ list: DeviceUsers, _ clientID: ByteString) -> ByteString? {
        clientID.withView { list.user(of: $0) }
    }

    @Test("An id that is written out goes before patterns, and the first pattern that fits counts [D-121]")
    func lookup() {
        let (list, faults) = DeviceUsers.read(
            Array("# ours\r\npump-*  pumps of hall 1 \r\n\r\npump-7\tspecial\n*-9 nines\n?? short".utf8))
        #expect(faults.isEmpty)
        #expect(list.count == 4)
        #expect(user(list, "pump-1") == "pumps of hall 1")
        #expect(user(list, "pump-7") == "special")
        #expect(user(list, "pump-9") == "pumps of hall 1")
        #expect(user(list, "x-9") == "nines")
        #expect(user(list, "zz") == "short")
        #expect(user(list, "other") == nil)
    }

    @Test("Lines without a user, twice the same device, and no UTF-8 are named")
    func faults() {
        let bytes = Array("a\nb bob\nb ann\nc* x\nc* y\n".utf8) + [0x64, 0x20, 0xFF]
        let (list, faults) = DeviceUsers.read(bytes)
        #expect(faults.map(\.line) == [1, 3, 5, 6])
        #expect(list.count == 2)
    }

    @Test("A thousand patterns and not one more")
    func limit() {
        let lines = (0..<1_000).map { "p\($0)* u\n" }.joined()
        #expect(DeviceUsers.read(Array(lines.utf8)).faults.isEmpty)
        #expect(DeviceUsers.read(Array((lines + "q* u\n").utf8)).faults.map(\.line) == [1_001])
    }
}
