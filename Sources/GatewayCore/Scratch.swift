internal import Bytes

/// Memory for a name that an effect shows: it stays unchanged until the next name is made, in a later event.
final class Scratch {
    private var buffer = OutputBuffer()

    deinit {
        buffer.deallocate()
    }

    /// Replaces what was kept by what `write` appends. One name is made for each event, never two.
    func keep(_ write: (inout OutputBuffer) -> Void) -> ByteView {
        buffer.truncate(to: 0)
        write(&buffer)
        return buffer.pending
    }
}
