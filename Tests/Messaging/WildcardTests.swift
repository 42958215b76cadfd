import Bytes
import Messaging
import Testing

@Suite struct WildcardTests {
    @Test("Each byte at each place of names of every length: only # and + are wildcards [MQTT-4.7.0-1]")
    func everyPlace() {
        for count in 1...18 {
            for place in 0..<count {
                for byte in UInt8.min...UInt8.max {
                    var name = [UInt8](repeating: UInt8(ascii: "a"), count: count)
                    name[place] = byte
                    let found = name.withUnsafeBytes { ByteView($0).hasWildcard }
                    #expect(found == (byte == UInt8(ascii: "#") || byte == UInt8(ascii: "+")))
                }
            }
        }
        #expect(!ByteView.empty.hasWildcard)
    }
}
