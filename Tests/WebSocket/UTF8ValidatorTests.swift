import Bytes
import Testing
import WebSocket

@Suite struct UTF8ValidatorTests {
    private func isText(_ bytes: [UInt8], by size: Int) -> Bool {
        var validator = UTF8Validator()
        for start in stride(from: 0, to: bytes.count, by: size) {
            let part = Array(bytes[start..<min(start + size, bytes.count)])
            let isGood = part.withUnsafeBytes { validator.take(ByteView($0)) }
            if !isGood { return false }
        }
        return validator.isComplete
    }

    @Test("It says of every two bytes, and of three and four with every lead, what Swift's own decoder says")
    func likeSwift() {
        let edges: [UInt8] = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
        for first in UInt8.min...UInt8.max {
            for second in UInt8.min...UInt8.max { check([first, second]) }
            for second in edges {
                for third in edges {
                    check([first, second, third])
                    for fourth in edges { check([first, second, third, fourth]) }
                }
            }
        }
    }

    private func check(_ bytes: [UInt8]) {
        let isValid = String(validating: bytes, as: UTF8.self) != nil
        if isText(bytes, by: .max / 2) != isValid || isText(bytes, by: 1) != isValid {
            Issue.record("\(bytes) is \(isValid ? "valid" : "invalid")")
        }
    }

    @Test("A byte that cannot be right is noticed at once, before the character is complete")
    func atOnce() {
        for bytes: [UInt8] in [[0xC0], [0xF5], [0xE0, 0x9F], [0xED, 0xA0], [0xF0, 0x8F], [0xF4, 0x90], [0x80]] {
            var validator = UTF8Validator()
            #expect(bytes.withUnsafeBytes { !validator.take(ByteView($0)) })
        }
    }
}
