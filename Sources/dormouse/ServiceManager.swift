import CLinux
import Glibc

/// What systemd, or whoever else started the process and listens at `NOTIFY_SOCKET`, is told (sd_notify(3)).
struct ServiceManager {
    private let socket: String?
    /// How often a sign of life is expected, at the latest.
    let watchdog: Duration?

    init() {
        socket = getenv("NOTIFY_SOCKET").map { String(cString: $0) }
        watchdog = Self.watchdog(
            microseconds: getenv("WATCHDOG_USEC").map { String(cString: $0) },
            process: getenv("WATCHDOG_PID").map { String(cString: $0) })
    }

    func isReady() { tell("READY=1\nSTATUS=serving") }

    func reloads() {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        tell("RELOADING=1\nMONOTONIC_USEC=\(time.tv_sec * 1_000_000 + time.tv_nsec / 1_000)")
    }

    func isStopping() { tell("STOPPING=1\nSTATUS=stopping") }

    func isAlive() { tell("WATCHDOG=1") }

    /// Nobody may be there any more: then there is nobody to tell.
    private func tell(_ state: String) {
        guard let socket else { return }
        _ = clinux_tell(socket, state)
    }

    /// Half of what the manager waits for, if it means this process.
    private static func watchdog(microseconds: String?, process: String?) -> Duration? {
        guard let microseconds = microseconds.flatMap({ Int64($0) }), microseconds > 1 else { return nil }
        if let process, process != String(Process.id) { return nil }
        return .microseconds(microseconds / 2)
    }
}
