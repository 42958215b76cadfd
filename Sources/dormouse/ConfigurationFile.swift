import ArgumentParser
import Configuration
import Glibc

/// The option that every command with a configuration has.
struct ConfigurationFile: ParsableArguments {
    @Option(
        name: [.customShort("c"), .long],
        help: "The configuration file (default: ./gateway.conf, then /etc/dormouse/gateway.conf).")
    var config: String?

    /// Where it is looked for when it is not named.
    static let usualPlaces = ["./gateway.conf", "/etc/dormouse/gateway.conf"]

    /// The file named, or the first of the usual ones that is there.
    func path() throws -> String {
        if let config { return config }
        for place in Self.usualPlaces where access(place, F_OK) == 0 { return place }
        throw Failure.usage(
            "no configuration: neither \(Self.usualPlaces.joined(separator: " nor ")) is there; "
                + "name a file with -c FILE")
    }

    /// The configuration, if the file may be used; everything there is to say is written to standard error.
    func load(showingNotes: Bool) throws -> GatewayConfiguration {
        let path = try path()
        let outcome = GatewayConfiguration.load(path: path)
        for diagnostic in outcome.diagnostics where showingNotes || diagnostic.severity != .note {
            Console.error(diagnostic.description)
        }
        guard let configuration = outcome.configuration else {
            let errors = outcome.count(of: .error)
            let count = "\(errors) \(errors == 1 ? "error" : "errors")"
            throw Failure.usage("\(path): \(count), nothing was started; correct the file and try again")
        }
        return configuration
    }
}
