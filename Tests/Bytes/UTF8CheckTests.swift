import Bytes
import Testing

@Suite struct UTF8CheckTests {
    private static func accepts(_ bytes: [UInt8]) -> Bool { ByteString(bytes).withView { $0.isMQTTString } }

    /// What the standard library says of the same bytes, with U+0000 taken out.
    private static func standardAccepts(_ bytes: [UInt8]) -> Bool {
        String(validating: bytes, as: UTF8.self) != nil && !bytes.contains(0)
    }

    @Test(
        "Each boundary of the well-formed forms is kept to the byte [MQTT-1.5.4-1] [MQTT-1.5.4-2]",
        arguments: [
            ([], true), ([0x00], false), ([0x01], true), ([0x7F], true), ([0x80], false), ([0xBF], false),
            ([0xC0, 0x80], false), ([0xC1, 0xBF], false), ([0xC2, 0x80], true), ([0xDF, 0xBF], true),
            ([0xC2, 0x7F], false), ([0xC2, 0xC0], false), ([0xC2], false),
            ([0xE0, 0x9F, 0xBF], false), ([0xE0, 0xA0, 0x80], true), ([0xEC, 0xBF, 0xBF], true),
            ([0xED, 0x9F, 0xBF], true), ([0xED, 0xA0, 0x80], false), ([0xED, 0xBF, 0xBF], false),
            ([0xEE, 0x80, 0x80], true), ([0xEF, 0xBF, 0xBF], true), ([0xEF, 0xBB, 0xBF], true),
            ([0xE1, 0x80], false), ([0xE1, 0x80, 0x7F], false), ([0xE1, 0x80, 0xC0], false),
            ([0xF0, 0x8F, 0xBF, 0xBF], false), ([0xF0, 0x90, 0x80, 0x80], true), ([0xF3, 0xBF, 0xBF, 0xBF], true),
            ([0xF4, 0x8F, 0xBF, 0xBF], true), ([0xF4, 0x90, 0x80, 0x80], false), ([0xF5, 0x80, 0x80, 0x80], false),
            ([0xF1, 0x80, 0x80], false), ([0xF1, 0x80, 0x7F, 0x80], false), ([0xF1, 0x80, 0x80, 0xC0], false),
            ([0xFE], false), ([0xFF], false),
        ] as [([UInt8], Bool)])
    func boundaries(bytes: [UInt8], isString: Bool) {
        #expect(Self.accepts(bytes) == isString)
        // Wherever they stand among the eight bytes that are checked at once, and whatever follows.
        for before in 0...17 {
            for after in 0...9 {
                let padded = [UInt8](repeating: 0x61, count: before) + bytes + [UInt8](repeating: 0x62, count: after)
                if Self.accepts(padded) != isString { Issue.record("\(before) before and \(after) after \(bytes)") }
            }
        }
    }

    @Test("All sequences of two bytes, and all of four boundary bytes, agree with the standard library")
    func agreement() {
        for first in 0...255 as ClosedRange<UInt8> {
            for second in 0...255 as ClosedRange<UInt8> {
                let bytes = [first, second]
                if Self.accepts(bytes) != Self.standardAccepts(bytes) { Issue.record("\(bytes)") }
            }
        }
        let marks: [UInt8] = [
            0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xEC, 0xED, 0xEE, 0xEF, 0xF0,
            0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
        ]
        for first in marks {
            for second in marks {
                for third in marks {
                    for fourth in marks {
                        let bytes = [first, second, third, fourth]
                        if Self.accepts(bytes) != Self.standardAccepts(bytes) { Issue.record("\(bytes)") }
                    }
                }
            }
        }
    }

    @Test("U+0000 is found at every place of a long string [MQTT-1.5.4-2]")
    func zero() {
        for count in 1...40 {
            for place in 0..<count {
                var bytes = [UInt8](repeating: 0x61, count: count)
                bytes[place] = 0
                #expect(!Self.accepts(bytes))
                bytes[place] = 1
                #expect(Self.accepts(bytes))
            }
        }
    }
}
