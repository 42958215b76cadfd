/// A pattern for client ids, as shells have it for files: `*` stands for any characters or none, `?` for one of them,
/// everything else for itself. There is no way to mean a `*` alone; client ids with one fit `?`.
package struct GlobPattern: Hashable, Sendable {
    /// As it was written.
    package let text: ByteString

    package init(_ text: ByteString) {
        self.text = text
    }

    /// Whether the whole of `name` fits, compared as bytes. Takes time in proportion to the product of both lengths.
    package func matches(_ name: ByteView) -> Bool {
        text.withView { pattern in
            var (place, position) = (0, 0)
            /// Behind the last `*`, and where what it stands for ends.
            var retry: (place: Int, position: Int)?
            while position < name.count {
                if place < pattern.count, pattern[place] == UInt8(ascii: "*") {
                    place += 1
                    retry = (place, position)
                } else if place < pattern.count, pattern[place] == UInt8(ascii: "?") {
                    place += 1
                    position = name.endOfCharacter(at: position)
                } else if place < pattern.count, pattern[place] == name[position] {
                    place += 1
                    position += 1
                } else if let last = retry {
                    // The star takes one byte more.
                    retry = (last.place, last.position + 1)
                    (place, position) = (last.place, last.position + 1)
                } else {
                    return false
                }
            }
            return (place..<pattern.count).allSatisfy { pattern[$0] == UInt8(ascii: "*") }
        }
    }
}

extension ByteView {
    /// Behind the character that begins at `position`, whatever bytes these are.
    fileprivate func endOfCharacter(at position: Int) -> Int {
        var end = position + 1
        while end < count, self[end] & 0xC0 == 0x80 { end += 1 }
        return end
    }
}
