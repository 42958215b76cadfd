import Bytes
import CFaults
import Foundation
import Journal
import Messaging
import Synchronization
import Testing

@testable import Store

@Suite struct StoreDirectoryTests {
    private func open(_ folder: StoreFolder) throws -> StoreDirectory {
        try StoreDirectory(path: folder.path, isDurable: true, unixSeconds: 1_800_000_000)
    }

    private func mode(_ path: String) -> UInt32 {
        var found = stat()
        return lstat(path, &found) == 0 ? found.st_mode & 0o7777 : 0
    }

    @Test("The directory and its files are their owner's alone, and a second gateway is told that they are taken")
    func making() throws {
        let outer = try StoreFolder()
        let path = outer.path + "/data"
        let store = try StoreDirectory(path: path, isDurable: true, unixSeconds: 0)
        #expect(store.losses.isEmpty)
        let writer = store.takeWriter()
        try writer.write([DamagedStore.batch(1...3)])
        #expect(mode(path) == 0o700)
        #expect(mode(path + "/dormouse.db") == 0o600)
        #expect(mode(path + "/dormouse.db-wal") == 0o600)
        let error = #expect(throws: DatabaseError.self) {
            try StoreDirectory(path: path, isDurable: true, unixSeconds: 0)
        }
        #expect(error?.kind == .taken)
        #expect(error?.words == "another gateway has the database open")
        writer.close()
        #expect(try DamagedStore.serials(path) == [1, 2, 3])
    }

    @Test("A symbolic link or a directory in the database's place is refused", arguments: ["", "-wal", "-salvaged"])
    func links(suffix: String) throws {
        let folder = try StoreFolder()
        let other = try StoreFolder()
        try FileManager.default.createSymbolicLink(
            atPath: folder.database + suffix, withDestinationPath: other.path + "/elsewhere")
        let error = #expect(throws: DatabaseError.self) { try open(folder) }
        #expect(error?.words == "\(folder.database)\(suffix) is no regular file")
        try FileManager.default.removeItem(atPath: folder.database + suffix)
        try FileManager.default.createDirectory(
            atPath: folder.database + suffix, withIntermediateDirectories: false)
        #expect(throws: DatabaseError.self) { try open(folder) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: other.path).isEmpty)
    }

    @Test("What cannot be written to is refused at the start, with the reason", arguments: [true, false])
    func readOnly(isDirectory: Bool) throws {
        let folder = try StoreFolder()
        try DamagedStore.fill(folder.path, 1...3)
        chmod(folder.path, isDirectory ? 0o755 : 0o777)
        chmod(folder.database, 0o444)
        // The superuser may write everywhere: this thread is somebody else for a moment.
        let user = faults_user(65_534)
        defer { _ = faults_user(user) }
        let error = #expect(throws: DatabaseError.self) { try open(folder) }
        #expect(
            error?.words == (isDirectory ? "cannot write to it: Permission denied" : "the file cannot be written to"))
    }

    @Test("A gateway starts on a full disk: the database is made when there is space [M-94]")
    func fullAtTheStart() throws {
        let folder = try StoreFolder()
        faults_disk(folder.path, DISK_WRITE, 0, .max, ENOSPC)
        let store = try open(folder)
        try store.read { _ in Issue.record("there is nothing to be read") }
        let events = Mutex<[StoreEvent]>([])
        let isDone = DispatchSemaphore(value: 0)
        let thread = try StoreThread(store.takeWriter(), .disk) { event in
            events.withLock { $0.append(event) }
            if case .blocked = event { faults_disk(folder.path, DISK_WRITE, 0, 0, 0) }
            if case .committed = event { isDone.signal() }
        }
        thread.submit(DamagedStore.batch(1...3))
        #expect(isDone.wait(timeout: .now() + 10) == .success)
        thread.stop()
        let seen = events.withLock { $0 }
        #expect(seen.count == 3)
        guard case .blocked(let error) = seen.first else {
            Issue.record("\(seen)")
            return
        }
        #expect(error.kind == .full)
        #expect(try DamagedStore.serials(folder.path) == [1, 2, 3])
    }

    @Test("After kill -9 on a disk that is full, everything is read, and writing waits for space [M-94]")
    func fullWithALog() throws {
        let folder = try StoreFolder()
        let killed = try DamagedStore.killed(1...500)
        try killed.copy(to: folder.path)
        faults_disk(folder.path, DISK_WRITE, 0, .max, ENOSPC)
        let store = try open(folder)
        var count = 0
        try store.read { _ in count += 1 }
        #expect(count == 500)
        #expect(store.losses.isEmpty)
        let writer = store.takeWriter()
        let error = #expect(throws: DatabaseError.self) { try writer.write([DamagedStore.batch(501...501)]) }
        #expect(error?.kind == .full)
        let atCheckpoint = #expect(throws: DatabaseError.self) { try writer.checkpoint() }
        #expect(atCheckpoint?.kind == .full)
        faults_disk(folder.path, DISK_WRITE, 0, 0, 0)
        try writer.write([DamagedStore.batch(501...501)])
        writer.close()
        #expect(try DamagedStore.serials(folder.path) == Array(1...501))
    }
}
