import CLinux
import Clockwork
import Glibc
import Reactor

/// What a command of `dormouse sn` waits for besides its sockets: signals, standard input, and the reader of standard
/// output, whose end is known at once and not only with the next message.
struct SNWatch {
    private let signals: Int32

    /// What was noticed.
    struct Notice: OptionSet {
        let rawValue: Int
        static let datagram = Notice(rawValue: 1)
        static let input = Notice(rawValue: 2)
        static let interruption = Notice(rawValue: 4)
        static let outputEnd = Notice(rawValue: 8)
    }

    /// From here on SIGINT, SIGTERM and SIGHUP end nothing by themselves, and SIGPIPE does not exist.
    init() throws {
        signals = clinux_signals()
        guard signals >= 0 else {
            throw Failure.runtime("cannot watch signals: \(String(cString: strerror(-signals)))")
        }
    }

    /// Waits until something happens or the time has come; it may also come back for nothing.
    func wait(_ sockets: [SNSocket], for wanted: Notice, until deadline: Deadline?) -> Notice {
        var entries = sockets.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        entries.append(pollfd(fd: signals, events: Int16(POLLIN), revents: 0))
        // A negative descriptor is passed over.
        entries.append(
            pollfd(fd: wanted.contains(.input) ? STDIN_FILENO : -1, events: Int16(POLLIN), revents: 0))
        entries.append(pollfd(fd: wanted.contains(.outputEnd) ? STDOUT_FILENO : -1, events: 0, revents: 0))
        guard poll(&entries, UInt(entries.count), milliseconds(until: deadline)) > 0 else { return [] }
        var notice: Notice = []
        if entries[..<sockets.count].contains(where: { $0.revents != 0 }) { notice.insert(.datagram) }
        if entries[sockets.count].revents != 0, isInterrupted() { notice.insert(.interruption) }
        if entries[sockets.count + 1].revents != 0 { notice.insert(.input) }
        if Int32(entries[sockets.count + 2].revents) & (POLLERR | POLLHUP) != 0 { notice.insert(.outputEnd) }
        return notice
    }

    private func isInterrupted() -> Bool {
        var isInterrupted = false
        while true {
            let number = clinux_next_signal(signals)
            guard number > 0 else { return isInterrupted }
            if number != SIGUSR1 { isInterrupted = true }
        }
    }

    /// Rounded up, so that it is not asked for in vain.
    private func milliseconds(until deadline: Deadline?) -> Int32 {
        guard let deadline else { return -1 }
        let wait = deadline.since(SystemClock.monotonic()).wholeNanoseconds
        return Int32(clamping: (wait + 999_999) / 1_000_000)
    }
}

/// Standard input, line by line or as a whole.
struct SNInput {
    private var bytes: [UInt8] = []
    /// Where the next line begins.
    private var start = 0
    private(set) var isAtEnd = false

    /// What a datagram over IPv4, 65,507 bytes, has room for behind the nine bytes before the data of a long PUBLISH.
    private static let bytesMax = 65_498

    /// Reads what is there, and waits if nothing is.
    mutating func read(from descriptor: Int32 = STDIN_FILENO) throws {
        var buffer = [UInt8](repeating: 0, count: 16 * 1024)
        let count = Glibc.read(descriptor, &buffer, buffer.count)
        if count < 0, errno == EINTR { return }
        guard count >= 0 else {
            throw Failure.runtime("cannot read the message: \(String(cString: strerror(errno)))")
        }
        if start > 0 { bytes.removeFirst(start) }
        start = 0
        bytes += buffer[..<count]
        isAtEnd = count == 0
    }

    /// The next line without its end; at the end of the input what is left; nil if more must be read first. Empty
    /// lines are passed over, as mosquitto_pub does.
    mutating func nextLine() throws -> [UInt8]? {
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = Array(bytes[start..<end])
            start = end + 1
            if !line.isEmpty { return try Self.checked(line) }
        }
        let rest = Array(bytes[start...])
        guard isAtEnd, !rest.isEmpty else {
            _ = try Self.checked(rest)
            return nil
        }
        start = bytes.count
        return try Self.checked(rest)
    }

    /// All of it.
    static func whole(_ descriptor: Int32) throws -> [UInt8] {
        var input = SNInput()
        while !input.isAtEnd {
            try input.read(from: descriptor)
            _ = try checked(input.bytes)
        }
        return input.bytes
    }

    /// Refuses what no datagram can carry.
    static func checked(_ message: [UInt8]) throws -> [UInt8] {
        guard message.count <= bytesMax else {
            throw Failure.usage("the message is longer than 65,498 bytes, the most that a datagram can carry")
        }
        return message
    }
}
