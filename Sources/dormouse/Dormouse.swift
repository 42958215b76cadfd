import ArgumentParser

/// The command line (DESIGN §10). Exit codes: 0 done, 1 a fault at run time, 2 wrong usage or configuration.
@main
struct Dormouse: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dormouse",
        abstract: "An MQTT-SN gateway with a full MQTT broker inside.",
        version: Version.text,
        subcommands: [Run.self, Check.self, Passwd.self, Topics.self, Decode.self, SN.self],
        defaultSubcommand: Run.self)

    /// As ArgumentParser's own, but with our exit codes.
    static func main() {
        Process.occupyStandardDescriptors()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let failure as Failure {
            Console.error(failure.message)
            Process.exit(failure.code)
        } catch {
            let text = fullMessage(for: error)
            guard exitCode(for: error) != .success else {
                Console.output(text)
                Process.exit(0)
            }
            Console.error(text)
            Process.exit(2)
        }
    }
}

/// What this build is called.
enum Version {
    static let number = "0.1.0"
    static let text = "dormouse \(number)"
}

/// A command that could not do what it was asked, in one line that says what to do.
struct Failure: Error {
    var code: Int32
    var message: String

    /// Wrong usage or configuration.
    static func usage(_ message: String) -> Failure { Failure(code: 2, message: message) }

    /// A fault at run time.
    static func runtime(_ message: String) -> Failure { Failure(code: 1, message: message) }
}
