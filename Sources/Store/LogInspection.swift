internal import Glibc

/// What SQLite does not tell of a write-ahead log (sqlite.org/fileformat2.html, section 4): it reads up to the first
/// faulty frame, and takes no notice of transactions behind it.
struct LogInspection {
    /// Transactions that SQLite finds.
    private(set) var commits = 0
    /// Complete frames behind the first faulty one that end a transaction of this log.
    private(set) var lostCommits = 0

    private static let headerBytes = 32
    private static let frameHeaderBytes = 24

    /// Looks through the file; nothing to be found in one that is not there.
    init(path: String) throws(DatabaseError) {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard file >= 0 else {
            if errno == ENOENT { return }
            throw .system("cannot read \(path)")
        }
        defer { close(file) }
        guard let header = try Self.read(file, at: 0, count: Self.headerBytes, path) else { return }
        let pageBytes = Int(Self.word(header, 8, isBig: true))
        guard pageBytes >= 512, pageBytes <= 65_536, pageBytes & (pageBytes - 1) == 0 else {
            lostCommits = 1
            return
        }
        try inspect(file, header, frameBytes: Self.frameHeaderBytes + pageBytes, path)
    }

    private mutating func inspect(
        _ file: Int32, _ header: [UInt8], frameBytes: Int, _ path: String
    ) throws(DatabaseError) {
        // The sums are made of words in the byte order that the magic number names.
        let isBig = Self.word(header, 0, isBig: true) & 1 == 1
        var sum = Sum()
        sum.add(header[..<24], isBig: isBig)
        var isSound = sum.matches(header, at: 24)
        var salts = Array(header[16..<24])
        var offset = Self.headerBytes
        while let frame = try Self.read(file, at: offset, count: frameBytes, path) {
            // With a faulty header, the first frame says what belongs to this log.
            if offset == Self.headerBytes, !isSound { salts = Array(frame[8..<16]) }
            offset += frameBytes
            guard frame[8..<16].elementsEqual(salts) else {
                isSound = false
                continue
            }
            sum.add(frame[..<8], isBig: isBig)
            sum.add(frame[Self.frameHeaderBytes...], isBig: isBig)
            isSound = isSound && sum.matches(frame, at: 16)
            guard Self.word(frame, 4, isBig: true) != 0 else { continue }
            if isSound { commits += 1 } else { lostCommits += 1 }
        }
    }

    /// So many bytes, or nil where the file ends before.
    private static func read(
        _ file: Int32, at offset: Int, count: Int, _ path: String
    ) throws(DatabaseError) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = bytes.withUnsafeMutableBytes { pread(file, $0.baseAddress, count, off_t(offset)) }
        guard got >= 0 else { throw .system("cannot read \(path)") }
        return got == count ? bytes : nil
    }

    private static func word(_ bytes: [UInt8], _ offset: Int, isBig: Bool) -> UInt32 {
        bytes[offset..<offset + 4].withUnsafeBytes { memory in
            let word = memory.loadUnaligned(as: UInt32.self)
            return isBig ? UInt32(bigEndian: word) : UInt32(littleEndian: word)
        }
    }

    /// The running checksum of a log.
    private struct Sum {
        private var first: UInt32 = 0
        private var second: UInt32 = 0

        mutating func add(_ bytes: ArraySlice<UInt8>, isBig: Bool) {
            bytes.withUnsafeBytes { memory in
                for offset in stride(from: 0, to: memory.count - 7, by: 8) {
                    let one = memory.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
                    let two = memory.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)
                    first &+= (isBig ? one.bigEndian : one.littleEndian) &+ second
                    second &+= (isBig ? two.bigEndian : two.littleEndian) &+ first
                }
            }
        }

        func matches(_ bytes: [UInt8], at offset: Int) -> Bool {
            word(bytes, offset, isBig: true) == first && word(bytes, offset + 4, isBig: true) == second
        }
    }
}
