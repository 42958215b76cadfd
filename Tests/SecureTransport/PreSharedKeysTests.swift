import Bytes
import SecureTransport
import Testing

@Suite struct PreSharedKeysTests {
    private func read(_ text: String) -> (keys: PreSharedKeys, faults: [PreSharedKeys.Fault]) {
        var faults: [PreSharedKeys.Fault] = []
        let keys = PreSharedKeys(Array(text.utf8), faults: &faults)
        return (keys, faults)
    }

    @Test("Lines are IDENTITY:KEY; comments and empty lines do not count")
    func lines() {
        let (keys, faults) = read("# plant\n\npump-7:00ff10\r\n  valve 1:ABCDEF00112233445566778899aabbcc  \n")
        #expect(faults == [])
        #expect(keys.count == 2)
        #expect(keys.key(of: "pump-7")?.bytes == [0x00, 0xFF, 0x10])
        #expect(keys.key(of: "valve 1")?.bytes.count == 16)
        #expect(keys.key(of: "valve") == nil)
        #expect(keys.weakLines == [3])
    }

    @Test("Each line with a fault is named, and opens nothing")
    func faults() {
        let long = String(repeating: "a", count: 257)
        let longKey = String(repeating: "00", count: 257)
        let (keys, faults) = read("a\n:00\nb:\nc:0\nd:0g\n\(long):00\ne:00\ne:11\nf:\(longKey)")
        #expect(faults.map(\.line) == [1, 2, 3, 4, 5, 6, 8, 9])
        #expect(keys.key(of: "e")?.bytes == [0])
        #expect(keys.count == 1)
        #expect(!faults.contains { $0.reason.contains("0g") })
    }

    @Test("At the limits of lengths a line is taken")
    func limits() {
        let identity = String(repeating: "i", count: PreSharedKeys.identityBytesMax)
        let (keys, faults) = read(identity + ":" + String(repeating: "ab", count: PreSharedKeys.keyBytesMax))
        #expect(faults == [])
        #expect(keys.key(of: ByteString(identity))?.bytes.count == PreSharedKeys.keyBytesMax)
    }

    @Test("An identity that is no text is refused")
    func notText() {
        var faults: [PreSharedKeys.Fault] = []
        _ = PreSharedKeys([0x61, 0xFF, 0x3A, 0x30, 0x30], faults: &faults)
        #expect(faults.count == 1)
    }
}
