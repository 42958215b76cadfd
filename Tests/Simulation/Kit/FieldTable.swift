/// How long messages take and what they cost, by the share of datagrams that are lost.
package enum FieldTable {
    /// The losses that the table shows, percent.
    package static let losses: [UInt64] = [0, 5, 10, 20, 30, 40]

    /// Plays a field for each loss and writes the table down; nil if a promise was broken, which is printed.
    package static func text(seed: UInt64 = 1) -> String? {
        var outcomes: [(loss: UInt64, outcome: Field.Outcome)] = []
        for loss in losses {
            let outcome = Field.run(seed: seed, plan: .table(loss: loss))
            for fault in outcome.faults { print("\(loss) % lost: \(fault)") }
            guard outcome.faults.isEmpty else { return nil }
            outcomes.append((loss, outcome))
        }
        return head + Field.DeliveryKind.allCases.map { section($0, outcomes) }.joined()
    }

    private static let head = """
        Loss against delivery time and packets (make field-table): 200 devices, half of them asleep most of the time,
        six hours, T_retry 10 s, N_retry 4, up to 0.2 s under way; datagrams lost each way. Times in seconds from
        PUBLISH, or from the first wake after it, to the receiver; packets for each message delivered, both ways, with
        those that were lost and those that repeat. To devices, packets are of active and sleeping ones together.

        """

    private static func section(
        _ kind: Field.DeliveryKind, _ outcomes: [(loss: UInt64, outcome: Field.Outcome)]
    ) -> String {
        var text = "\n\(kind.title)\n"
        text += line(["loss", "messages", "median", "95 %", "99 %", "packets"])
        for (loss, outcome) in outcomes {
            guard let figure = outcome.figures.first(where: { $0.kind == kind }) else { continue }
            text += line([
                "\(loss) %", "\(figure.messages)", seconds(figure.median), seconds(figure.percentile95),
                seconds(figure.percentile99), hundredths(figure.packets),
            ])
        }
        return text
    }

    private static func line(_ words: [String]) -> String {
        words.map { String(repeating: " ", count: max(0, 10 - $0.count)) + $0 }.joined() + "\n"
    }

    private static func seconds(_ milliseconds: Int) -> String { hundredths(Double(milliseconds) / 1_000) }

    private static func hundredths(_ value: Double) -> String {
        let whole = Int((value * 100).rounded())
        let rest = String(whole % 100)
        return "\(whole / 100)." + (rest.count < 2 ? "0" : "") + rest
    }
}
