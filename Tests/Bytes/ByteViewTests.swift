import Bytes
import Testing

@Suite struct ByteViewTests {
    @Test("Views are compared byte for byte, to the last one [MQTT-4.7.3-4]")
    func equality() {
        for count in 0...40 {
            let plain = ByteString((0..<count).map { UInt8($0) })
            plain.withView { view in
                #expect(view == view)
                #expect(ByteString(plain.bytes + [0]).withView { $0 != view })
                for changed in 0..<count {
                    var other = plain
                    other.bytes[changed] ^= 0x80
                    #expect(other.withView { $0 != view })
                }
            }
        }
        #expect(ByteView.empty == ByteString().withView { $0.dropFirst(0) })
        #expect(ByteString("caf\u{E9}") != ByteString("cafe\u{301}"))
    }

    @Test("Parts of a view are views")
    func parts() {
        ByteString("gateway").withView { view in
            #expect(ByteString(view[0..<4]) == "gate")
            #expect(ByteString(view[7..<7]).isEmpty)
            #expect(ByteString(view.dropFirst(4)) == "way")
            #expect(view.dropFirst(7).isEmpty && view.dropFirst(8).isEmpty)
            #expect(view[6] == UInt8(ascii: "y"))
        }
        #expect(ByteView.empty.isEmpty && ByteView.empty.dropFirst(1).isEmpty)
    }

    @Test("Strings of bytes are ordered byte for byte")
    func order() {
        let sorted: [ByteString] = ["", "A", "B", "BA", "a", "\u{E9}"]
        #expect(Array(sorted.reversed()).sorted() == sorted)
    }

    @Test(
        "Printing leaves nothing that a terminal or a log would obey [attack 20]",
        arguments: [
            ("plain text~", "plain text~"), ("back\\slash", "back\\\\slash"), ("two\nlines\r", "two\\x0alines\\x0d"),
            ("\u{1B}[31m", "\\x1b[31m"), ("\u{7F}", "\\x7f"), ("\u{E9}", "\\xc3\\xa9"), ("\0", "\\x00"),
        ])
    func printing(text: String, printed: String) {
        #expect(ByteString(text).description == printed)
    }
}
