import Foundation

/// A folder for a database that goes with its test.
final class StoreFolder: Sendable {
    let path = NSTemporaryDirectory() + "store-" + UUID().uuidString

    init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var database: String { path + "/dormouse.db" }
}
