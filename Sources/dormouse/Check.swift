import ArgumentParser
import Configuration

/// `dormouse check`: says what a configuration file means, without starting anything.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Say whether a configuration file is good, without starting the gateway.")

    @OptionGroup var file: ConfigurationFile

    @Flag(name: .shortAndLong, help: "Also print what is in force.")
    var verbose = false

    func run() throws {
        let configuration = try file.load(showingNotes: true)
        if verbose { for line in configuration.summary { Console.output(line) } }
        Console.output("\(try file.path()): good")
    }
}
