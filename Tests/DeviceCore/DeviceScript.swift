import Bytes
import Clockwork
import DeviceCore
import MQTTSNWire
import Messaging
import Testing

/// A device and a made-up clock: what it is told, and what it says, line by line.
struct DeviceScript {
    var device: Device
    private var now = Instant(nanoseconds: 1_000_000_000)
    /// What was said and not yet expected, datagrams and outcomes in order.
    private var lines: [String] = []

    init(_ settings: Device.Settings = Device.Settings()) {
        device = Device(settings: settings)
    }

    static func connected(
        keepAlive: UInt16 = 0, cleanSession: Bool = true, _ settings: Device.Settings = Device.Settings()
    ) -> DeviceScript {
        var script = DeviceScript(settings)
        script.reconnect(keepAlive: keepAlive, cleanSession: cleanSession)
        return script
    }

    static func asleep() -> DeviceScript {
        var script = DeviceScript.connected()
        script.perform(.sleep(seconds: 300))
        script.receive(.disconnect(duration: nil))
        script.lines = []
        return script
    }

    mutating func reconnect(keepAlive: UInt16 = 0, cleanSession: Bool = false) {
        perform(.connect(.init(clientID: "d1", keepAlive: keepAlive, cleanSession: cleanSession)))
        lines = []
        receive(.connack(.accepted))
        lines.removeAll { $0 == "connected" }
    }

    mutating func perform(_ command: Device.Command) {
        var effects: [Device.Effect] = []
        device.handle(command, now: now, into: &effects)
        note(effects)
    }

    mutating func receive(_ packet: SNPacket) {
        var buffer = OutputBuffer()
        defer { buffer.deallocate() }
        #expect(packet.encode(into: &buffer))
        receive(bytes: Array(buffer.pending.memory))
    }

    mutating func receive(bytes: [UInt8]) {
        var effects: [Device.Effect] = []
        ByteString(bytes).withView { device.received($0, now: now, into: &effects) }
        note(effects)
    }

    /// Lets the time pass, and whatever is due happen.
    mutating func wait(_ duration: Duration) {
        let end = now + duration
        while let due = device.nextDeadline, due <= end {
            now = max(now, due)
            var effects: [Device.Effect] = []
            device.advance(to: now, into: &effects)
            note(effects)
        }
        now = end
    }

    private mutating func note(_ effects: [Device.Effect]) {
        for effect in effects {
            guard case .send(let bytes) = effect else {
                lines.append("\(effect)".replacing("MQTTSNWire.", with: ""))
                continue
            }
            lines.append(bytes.withView { (try? SNPacket.decode($0))?.description ?? "malformed" })
        }
    }

    mutating func expect(_ line: String, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(lines.first == line, sourceLocation: sourceLocation)
        if !lines.isEmpty { lines.removeFirst() }
    }

    mutating func expectNothing(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(lines.isEmpty, sourceLocation: sourceLocation)
    }

    mutating func drop(_ count: Int) { lines.removeFirst(count) }
}

extension ByteView {
    /// The bytes of a literal, which live for ever.
    static func of(_ text: StaticString) -> ByteView {
        ByteView(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }
}
