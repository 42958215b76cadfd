/// Where what has to survive is kept: DESIGN §5.
package struct PersistenceSettings: Equatable, Sendable {
    /// The directory of the database (`persistence_location`); made if it is not there.
    package var directory = "/var/lib/dormouse"
    /// Whether retained messages are kept too (`retained_persistence`).
    package var keepsRetained = true

    package init() {}
}

/// What a file has said about persistence, until its end.
struct PersistenceDraft {
    var isOn = false
    var settings = PersistenceSettings()
    /// What `durability` asked for, and where.
    var durability: (asked: Durability, at: FileLocation)?
}

extension ConfigurationDraft {
    /// `durability disk|process|none`.
    mutating func setDurability(_ statement: Statement) {
        let usage = Directive.Reading.word(Durability.allCases.map { $0.rawValue }) { _, _ in }
        guard let word = oneWord(statement, usage) else { return }
        guard let asked = Durability(rawValue: word) else {
            reportMismatch(statement, word, usage)
            return
        }
        persistence.durability = (asked, statement.location)
    }

    /// Decides what is promised, now that all was said.
    mutating func finishPersistence() {
        let asked = persistence.durability
        if let asked, asked.asked != .none, !persistence.isOn {
            report(
                .warning, at: asked.at,
                "\"durability \(asked.asked.rawValue)\" is nothing without `persistence true`: everything stays in "
                    + "memory, and `durability none` is what holds")
        }
        guard persistence.isOn else { return }
        if let asked, asked.asked == .none {
            report(
                .warning, at: asked.at,
                "with \"durability none\" nothing is kept on disk, although persistence is true")
            return
        }
        configuration.durability = asked?.asked ?? .disk
        configuration.persistence = persistence.settings
    }
}
