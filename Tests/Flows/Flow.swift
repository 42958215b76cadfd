import Foundation

/// A file of `Fixtures/flows` holds an array of these: what devices and applications send, and all that they hear.
///
/// `Fixtures/flows/README.md` says how steps are written. The same files are played over sockets by
/// `Tests/EndToEnd/test_flows.py`.
struct Flow: Decodable, Sendable, CustomStringConvertible {
    /// What the flow shows, as a sentence.
    var title: String
    /// Statements, decisions and attack cases that it shows: `SN-6.14-5`, `D-17`, `attack 108`.
    var cites: [String]
    /// Lines of gateway.conf behind those of `Flow.configuration`: the device listener's section is still open.
    var configuration: [String]?
    /// Settings that no line of gateway.conf has; such a flow is played in memory only.
    var beyond: [String: String]?
    /// Why the flow is played in memory only though it takes little time.
    var memoryOnly: String?
    var steps: [Step]

    enum Step: Decodable, Sendable {
        case line(String)
        /// The steps again and again, with `{n}` in them for 1, 2, …
        case loop(count: Int, [Step])

        private enum Key: CodingKey { case `repeat`, steps }

        init(from decoder: any Decoder) throws {
            if let line = try? decoder.singleValueContainer().decode(String.self) {
                self = .line(line)
            } else {
                let container = try decoder.container(keyedBy: Key.self)
                self = .loop(
                    count: try container.decode(Int.self, forKey: .repeat),
                    try container.decode([Step].self, forKey: .steps))
            }
        }
    }

    var description: String { title }

    /// The steps, with loops written out.
    var lines: [String] { Self.lines(steps) }

    private static func lines(_ steps: [Step]) -> [String] {
        steps.flatMap { step in
            switch step {
            case .line(let line): return [line]
            case .loop(let count, let steps):
                let body = lines(steps)
                return (1...max(1, count)).flatMap { number in
                    body.map { $0.replacing("{n}", with: "\(number)") }
                }
            }
        }
    }

    /// What each flow's gateway has.
    static let configuration = """
        listener 0 127.0.0.1
        listener 0 127.0.0.1
        protocol mqttsn
        gateway_id 7
        sys_interval 0
        predefined_topic 1 sensors/%c/temperature
        predefined_topic 2 plant/setpoint

        """

    /// The flows of all files, in the files' alphabetical order.
    static let all: [Flow] = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fixtures/flows")
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return files.filter { $0.pathExtension == "json" }.sorted { $0.lastPathComponent < $1.lastPathComponent }
            .flatMap { file in
                do {
                    return try JSONDecoder().decode([Flow].self, from: Data(contentsOf: file))
                } catch {
                    return [Flow(title: "\(file.lastPathComponent): \(error)", cites: [], steps: [.line("unreadable")])]
                }
            }
    }()
}
