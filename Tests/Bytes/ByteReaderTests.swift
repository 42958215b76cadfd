import Bytes
import Testing

@Suite struct ByteReaderTests {
    @Test("Numbers are big-endian and need not be aligned")
    func numbers() {
        ByteString([0xFF, 0x12, 0x34, 0x89, 0xAB, 0xCD, 0xEF, 0x01]).withView { view in
            var reader = ByteReader(view)
            #expect(reader.readUInt8() == 0xFF)
            #expect(reader.readUInt16() == 0x1234)
            #expect(reader.readUInt32() == 0x89AB_CDEF)
            #expect(reader.remaining == 1)
            #expect(reader.readUInt16() == nil)
            #expect(reader.readUInt32() == nil)
            #expect(reader.remaining == 1)
            #expect(reader.readUInt8() == 1)
            #expect(reader.readUInt8() == nil)
        }
    }

    @Test("A length that the bytes do not hold gives nil, at every truncation")
    func truncation() {
        let whole: [UInt8] = [0x00, 0x05] + Array("topic".utf8)
        for count in 0...whole.count {
            ByteString(Array(whole[..<count])).withView { view in
                var reader = ByteReader(view)
                #expect(reader.readLengthPrefixed().map { ByteString($0) } == (count == whole.count ? "topic" : nil))
            }
        }
    }

    @Test("A count that is negative or too large gives nil", arguments: [-1, 4, Int.max, Int.min])
    func counts(count: Int) {
        ByteString([1, 2, 3]).withView { view in
            var reader = ByteReader(view)
            #expect(reader.readBytes(count) == nil)
            #expect(reader.remaining == 3)
        }
    }

    @Test("The rest can be read from full and empty readers alike")
    func rest() {
        ByteString([1, 2, 3]).withView { view in
            var reader = ByteReader(view)
            #expect(reader.readBytes(0)?.isEmpty == true)
            reader.skip(1)
            #expect(ByteString(reader.readRest()) == ByteString([2, 3]))
            #expect(reader.remaining == 0)
            #expect(reader.readRest().isEmpty)
            #expect(reader.readBytes(0)?.isEmpty == true)
        }
        var nothing = ByteReader(.empty)
        #expect(nothing.readRest().isEmpty)
        #expect(nothing.readUInt8() == nil && nothing.readLengthPrefixed() == nil)
    }
}
