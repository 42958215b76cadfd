import Glibc

/// Plain lines to the terminal, complete at once: no buffer holds them back when output goes to a file or a pipe.
enum Console {
    static func output(_ text: String) { write(text, to: STDOUT_FILENO) }

    static func error(_ text: String) { write(text, to: STDERR_FILENO) }

    static func write(_ text: String, to descriptor: Int32) {
        var line = Array(text.utf8)
        if line.last != UInt8(ascii: "\n") { line.append(UInt8(ascii: "\n")) }
        var written = 0
        while written < line.count {
            let count = line.withUnsafeBytes { bytes in
                Glibc.write(descriptor, bytes.baseAddress.map { $0 + written }, bytes.count - written)
            }
            if count <= 0 { return }
            written += count
        }
    }
}

/// The process as the system sees it.
enum Process {
    static func exit(_ code: Int32) -> Never { Glibc.exit(code) }

    static var id: Int32 { getpid() }

    static var isRoot: Bool { geteuid() == 0 }

    /// A seed from the system, drawn once at start.
    static var seed: UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }
}
