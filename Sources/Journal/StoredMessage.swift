package import Bytes

/// What the store has of a message that was left to it alone.
package struct StoredMessage: Equatable, Sendable {
    package let serial: UInt64
    /// Properties, as in `MessageView.properties`, and behind them the payload; nil when the store does not have the
    /// message.
    private let bytes: [UInt8]?
    private let propertiesCount: Int

    /// A message that is there.
    package init(serial: UInt64, properties: ByteView, payload: ByteView) {
        self.serial = serial
        propertiesCount = properties.count
        bytes = [UInt8](unsafeUninitializedCapacity: properties.count + payload.count) { memory, count in
            count = properties.count + payload.count
            let rest = UnsafeMutableRawBufferPointer(memory)
            rest.copyMemory(from: properties.memory)
            UnsafeMutableRawBufferPointer(rebasing: rest[properties.count...]).copyMemory(from: payload.memory)
        }
    }

    /// A message that is not there.
    package init(missing serial: UInt64) {
        self.serial = serial
        propertiesCount = 0
        bytes = nil
    }

    /// Its properties and payload, in bytes.
    package var byteCount: Int { bytes?.count ?? 0 }

    /// Shows properties and payload, valid during the call; nil when the store does not have the message.
    package func withBytes(_ body: ((properties: ByteView, payload: ByteView)?) -> Void) {
        guard let bytes else { return body(nil) }
        bytes.span.withUnsafeBytes { memory in
            body(
                (
                    ByteView(UnsafeRawBufferPointer(rebasing: memory[..<propertiesCount])),
                    ByteView(UnsafeRawBufferPointer(rebasing: memory[propertiesCount...]))
                ))
        }
    }
}
