internal import Bytes
internal import Clockwork
internal import MQTTSNWire

/// Everything that happens in a world, as one running number (FNV-1a, 64 bits): two courses of events with one hash
/// were the same. Printing shows them line by line.
package struct Trace {
    /// The hash of what was noted so far.
    package private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    /// How much was noted.
    package private(set) var count = 0
    private let isPrinting: Bool
    /// Whether what is said in words counts, besides bytes: to put it into words takes longer than to play it.
    private let notesWords: Bool

    package init(isPrinting: Bool, notesWords: Bool = true) {
        self.isPrinting = isPrinting
        self.notesWords = notesWords
    }

    /// What was noted: the letter goes into the hash.
    enum Kind: UInt8 {
        case datagramUp = 0x75, datagramDown = 0x64, bytesUp = 0x55, bytesDown = 0x44, event = 0x65
    }

    mutating func note(_ kind: Kind, _ who: String, _ bytes: ByteView, _ now: Instant, _ remark: String = "") {
        note(kind, who, now)
        for byte in bytes.memory { mix(byte) }
        guard isPrinting else { return }
        print("\(time(now)) \(who) \(kind) \(describe(kind, bytes)) \(remark)")
    }

    mutating func note(_ text: @autoclosure () -> String, _ who: String, _ now: Instant) {
        guard notesWords || isPrinting else { return }
        let text = text()
        guard notesWords else { return print("\(time(now)) \(who) \(text)") }
        note(.event, who, now)
        for byte in text.utf8 { mix(byte) }
        if isPrinting { print("\(time(now)) \(who) \(text)") }
    }

    private mutating func note(_ kind: Kind, _ who: String, _ now: Instant) {
        count += 1
        mix(kind.rawValue)
        for byte in who.utf8 { mix(byte) }
        var number = now.nanoseconds
        while number > 0 {
            mix(UInt8(truncatingIfNeeded: number))
            number >>= 8
        }
    }

    private mutating func mix(_ byte: UInt8) {
        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
    }

    private func describe(_ kind: Kind, _ bytes: ByteView) -> String {
        switch kind {
        case .datagramUp, .datagramDown: (try? SNPacket.decode(bytes).description) ?? bytes.escaped
        case .bytesUp, .bytesDown, .event: "\(bytes.count): \(bytes.escaped)"
        }
    }

    /// Seconds with microseconds.
    private func time(_ now: Instant) -> String {
        let micros = now.nanoseconds / 1_000
        let fraction = String(micros % 1_000_000)
        return "\(micros / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
    }
}
