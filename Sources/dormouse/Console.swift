import Glibc

/// Plain lines to the terminal, complete at once: no buffer holds them back when output goes to a file or a pipe.
enum Console {
    static func output(_ text: String) { write(text, to: STDOUT_FILENO) }

    static func error(_ text: String) { write(text, to: STDERR_FILENO) }

    static func write(_ text: String, to descriptor: Int32) {
        write(line(text), to: descriptor)
    }

    /// As `write`, unless the reader of a pipe or terminal takes nothing now: then false, at once. A log that nobody
    /// reads must not stop the gateway.
    static func writeIfReady(_ text: String, to descriptor: Int32) -> Bool {
        var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&ready, 1, 0) == 1 else { return false }
        // A pipe that is ready takes this many bytes without waiting (pipe(7), PIPE_BUF).
        var bytes = line(text)
        if bytes.count > 4096 { bytes.replaceSubrange(4092..., with: Array("...\n".utf8)) }
        write(bytes, to: descriptor)
        return true
    }

    private static func line(_ text: String) -> [UInt8] {
        var line = Array(text.utf8)
        if line.last != UInt8(ascii: "\n") { line.append(UInt8(ascii: "\n")) }
        return line
    }

    private static func write(_ line: [UInt8], to descriptor: Int32) {
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

    /// Fills the places of standard input, output and error that we were started without: the next socket would have
    /// its number, and what is printed would go to the gateway or to a client. Each is opened the wrong way round, so
    /// that reading and writing fail as they would have.
    static func occupyStandardDescriptors() {
        for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
            _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
        }
    }

    static var isRoot: Bool { geteuid() == 0 }

    /// A seed from the system, drawn once at start.
    static var seed: UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }

    /// Bytes from the system's generator, for what nobody may guess.
    static func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
