internal import Glibc

/// The process's memory that is resident, in bytes; 0 where the system does not say.
///
/// Takes one short read of `/proc`. (What the allocator itself knows is dearer: it counts its free pieces one by one.)
package func residentMemory() -> Int {
    let file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return 0 }
    defer { close(file) }
    var text = [UInt8](repeating: 0, count: 128)
    let count = read(file, &text, text.count)
    guard count > 0 else { return 0 }
    // Pages: the whole size first, then what is resident.
    let fields = text[..<count].split(separator: UInt8(ascii: " "))
    guard fields.count > 1 else { return 0 }
    let pages = fields[1].reduce(0) { $0 * 10 + Int($1 & 0x0F) }
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
}
