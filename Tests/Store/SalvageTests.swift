import Bytes
import Clockwork
import Foundation
import Testing

@testable import Store

@Suite struct SalvageTests {
    private static let aside = "dormouse.db.damaged-1800000000"

    private func open(
        _ folder: StoreFolder, passing: @escaping (Salvage.Step) throws(DatabaseError) -> Void = { _ in }
    ) throws -> StoreDirectory {
        try StoreDirectory(path: folder.path + "/", isDurable: true, unixSeconds: 1_800_000_000, passing: passing)
    }

    private func bytes(_ folder: StoreFolder, _ name: String) -> [UInt8]? {
        (try? Data(contentsOf: URL(fileURLWithPath: folder.path + "/" + name))).map { [UInt8]($0) }
    }

    /// What is left of these files: the serials, and what is said of losses.
    private func salvage(
        _ files: DamagedStore, _ folder: StoreFolder
    ) throws -> (serials: [UInt64], losses: [StoreLoss]) {
        try files.copy(to: folder.path)
        let store = try open(folder)
        let found = (try DamagedStore.serials(store), store.losses)
        let writer = store.takeWriter()
        try writer.write([DamagedStore.batch(100_000...100_000)])
        writer.close()
        if !found.1.isEmpty {
            #expect(bytes(folder, Self.aside) == files.database)
            #expect(bytes(folder, Self.aside + "-wal") == files.log)
        }
        // The second start is as any other.
        let again = try open(folder)
        #expect(again.losses.isEmpty)
        #expect(try DamagedStore.serials(again) == found.0 + [100_000])
        again.takeWriter().close()
        return found
    }

    @Test("A page in the middle costs its rows, and they are said: the rest is kept from both ends [M-93]")
    func page() throws {
        var files = try DamagedStore.closed(1...2_000)
        let middle = files.database.count / 4_096 / 2 * 4_096
        for index in middle..<middle + 4_096 { files.database[index] = 0x55 }
        let folder = try StoreFolder()
        let (serials, losses) = try salvage(files, folder)
        #expect(serials.first == 1 && serials.last == 2_000)
        #expect(serials.count > 1_950 && serials.count < 2_000)
        let below = serials.firstIndex { $0 > UInt64(serials.firstIndex(of: $0) ?? 0) + 1 } ?? 0
        #expect(losses.count == 10)
        #expect(!losses[0].words.contains("\n"))
        #expect(losses[0].words.contains("it was set aside as \(folder.path)/\(Self.aside)"))
        #expect(
            losses.first { $0.table == "message" }?.description
                == "message: \(serials.count) rows kept; reading stopped behind \(below) rows from the beginning and "
                + "\(serials.count - below) from the end (database disk image is malformed)")
        #expect(losses.first { $0.table == "session" }?.description == "session: all 0 rows kept")
    }

    @Test("A file without anything readable is set aside, and a new one begins [M-93]")
    func nothing() throws {
        let sound = try DamagedStore.closed(1...500)
        let files: [[UInt8]] = [
            [], [0], [UInt8](repeating: 0x55, count: 8_192), Array(sound.database[..<100]),
            [UInt8](repeating: 0, count: 4_096) + sound.database[4_096...],
        ]
        for database in files {
            let folder = try StoreFolder()
            let (serials, losses) = try salvage(DamagedStore(sound, database: database), folder)
            #expect(serials.isEmpty)
            #expect(losses.count == 10)
        }
    }

    @Test("A file that was cut short keeps what is before the cut [M-93]")
    func truncated() throws {
        let sound = try DamagedStore.closed(1...2_000)
        for pages in stride(from: 15, to: sound.database.count / 4_096, by: 9) {
            let folder = try StoreFolder()
            let cut = DamagedStore(sound, database: Array(sound.database[..<(pages * 4_096)]))
            let (serials, losses) = try salvage(cut, folder)
            #expect(losses.count == 10)
            #expect(serials.count < 2_000)
        }
    }

    @Test("Flipped bytes anywhere: the gateway starts, and either reads all or says what it set aside [M-93]")
    func flips() throws {
        let sound = try DamagedStore.closed(1...300)
        var generator = SeededGenerator(seed: 5)
        var told = 0
        for round in 0..<120 {
            var files = sound
            let pages = UInt64(files.database.count / 4_096)
            // Headers of pages and the places of cells are where flips do harm.
            let page = Int(generator.below(pages)) * 4_096
            for _ in 0..<(round % 3 + 1) {
                let place = page + Int(generator.below(round % 2 == 0 ? 110 : 4_096))
                files.database[place] ^= 1 << UInt8(generator.below(8))
            }
            let folder = try StoreFolder()
            do {
                let (serials, losses) = try salvage(files, folder)
                if !losses.isEmpty { told += 1 } else { #expect(serials.count == 300) }
            } catch let error as DatabaseError {
                // A version that is not known is no damage, but a newer gateway's.
                #expect(error.words.contains("from a newer gateway"))
            }
        }
        #expect(told > 20)
    }

    @Test("A fault in the log before other transactions is told, with what it cost; a torn end is none [M-95]")
    func log() throws {
        let sound = try DamagedStore.killed(1...1_000)
        guard let log = sound.log else {
            Issue.record("no log")
            return
        }
        var torn = sound
        torn.log = Array(log[..<(log.count - 1_000)])
        let (most, silence) = try salvage(torn, try StoreFolder())
        #expect(silence.isEmpty)
        #expect(most == Array(1...900))

        var faulty = sound
        faulty.log?[log.count / 2] ^= 1
        let (some, losses) = try salvage(faulty, try StoreFolder())
        #expect(some.count % 100 == 0 && some.count >= 300 && some.count <= 600)
        #expect(some == Array(1...UInt64(some.count)))
        let lost = (1_000 - some.count) / 100
        #expect(losses.first?.words.contains("and \(lost) more in it cannot be read") == true)

        faulty = sound
        faulty.log?[3] ^= 0x80
        let (none, all) = try salvage(faulty, try StoreFolder())
        #expect(none.isEmpty)
        #expect(all.first?.words.contains("and 10 more in it cannot be read") == true)
    }

    @Test("A salvage that is cut off after any step goes on at the next start, and tells the same [M-93]")
    func cutOff() throws {
        var files = try DamagedStore.killed(1...2_000)
        let middle = (files.log?.count ?? 0) / 2
        files.log?[middle] ^= 1
        let folder = try StoreFolder()
        let (whole, losses) = try salvage(files, folder)
        #expect(!whole.isEmpty)
        for step in Salvage.Step.allCases {
            let folder = try StoreFolder()
            try files.copy(to: folder.path)
            #expect(throws: DatabaseError.self) {
                try open(folder) { passed throws(DatabaseError) in
                    if passed == step { throw DatabaseError(code: 1, words: "cut off") }
                }
            }
            let store = try open(folder)
            #expect(try DamagedStore.serials(store) == whole)
            #expect(store.losses.dropFirst() == losses.dropFirst())
            store.takeWriter().close()
            // The damaged files are there, if perhaps under two times.
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            let kept = names.filter { $0.hasPrefix("dormouse.db.damaged-") }.compactMap { bytes(folder, $0) }
            #expect(kept.contains(files.database))
            #expect(kept.contains { $0 == files.log })
            #expect(names.count == 3)
        }
    }
}

extension DamagedStore {
    init(_ other: DamagedStore, database: [UInt8]) {
        self = other
        self.database = database
    }
}
