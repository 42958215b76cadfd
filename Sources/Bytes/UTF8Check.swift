extension ByteView {
    /// Whether these bytes are a well-formed MQTT string: UTF-8 of Unicode without surrogates, overlong forms or
    /// U+0000 [MQTT-1.5.4-1] [MQTT-1.5.4-2]. Control characters and non-characters are allowed (§1.5.4 MAY).
    @inlinable
    public var isMQTTString: Bool {
        var index = 0
        let count = memory.count
        while index + 8 <= count {
            let word = memory.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            // Eight bytes at once: no high bit anywhere, and no zero byte.
            if word & 0x8080_8080_8080_8080 != 0 { break }
            if (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080 != 0 { return false }
            index += 8
        }
        return isMQTTString(from: index)
    }

    /// Whether these bytes are well-formed UTF-8 (RFC 3629), U+0000 included: what a payload may be that is said to be
    /// text (MQTT 5.0 §3.3.2.3.2).
    public var isUTF8: Bool {
        // Zero bytes are no part of a longer character: what stands between them is checked by itself.
        var start = 0
        for index in 0...count where index == count || memory[index] == 0 {
            guard self[start..<index].isMQTTString else { return false }
            start = index + 1
        }
        return true
    }

    /// The same, one character after the other, for what follows `start`.
    public func isMQTTString(from start: Int) -> Bool {
        var index = start
        while index < memory.count {
            let lead = memory[index]
            if lead < 0x80 {
                if lead == 0 { return false }
                index += 1
                continue
            }
            let length: Int
            var lowest: UInt8 = 0x80
            var highest: UInt8 = 0xBF
            switch lead {
            case 0xC2...0xDF: length = 2
            case 0xE0: (length, lowest) = (3, 0xA0)
            case 0xED: (length, highest) = (3, 0x9F)
            case 0xE1...0xEF: length = 3
            case 0xF0: (length, lowest) = (4, 0x90)
            case 0xF1...0xF3: length = 4
            case 0xF4: (length, highest) = (4, 0x8F)
            default: return false
            }
            guard memory.count - index >= length else { return false }
            guard memory[index + 1] >= lowest, memory[index + 1] <= highest else { return false }
            for offset in 2..<max(length, 2) where memory[index + offset] & 0xC0 != 0x80 { return false }
            index += length
        }
        return true
    }
}
