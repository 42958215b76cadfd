import ArgumentParser
import Authentication
import Bytes
import Glibc

/// `dormouse passwd`: the users of a file, as mosquitto_passwd has them.
struct Passwd: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Add a user to a file of users, give one another password, or delete one.",
        discussion: """
            The password comes from the terminal, where it is asked for twice and not shown, or is the first line of \
            standard input. The gateway reads the file when it starts.
            """)

    @Flag(help: "Make a verifier for SCRAM-SHA-256, for a scram_file or a password_file.")
    var scram = false

    @Flag(name: [.customShort("D"), .long], help: "Delete the user.")
    var delete = false

    @Option(help: "How often the password is hashed (default: 20000; with --scram, where clients do it, 10000).")
    var iterations: Int?

    @Argument(help: "The file; it is made if it is not there.")
    var file: String

    @Argument(help: "The user's name.")
    var user: String

    func validate() throws {
        let range = scram ? ScramVerifier.iterationsRange : PasswordVerifier.iterationsRange
        if let iterations, !range.contains(iterations) {
            throw ValidationError("--iterations takes \(range.lowerBound) to \(range.upperBound), not \(iterations).")
        }
        do throws(ScramFileFault) {
            try ScramFile.check(userName: Array(user.utf8))
        } catch {
            throw ValidationError("\(error.reason).")
        }
    }

    func run() throws {
        let users = UserFile(path: file)
        let before = try users.read()
        if let (line, fault) = PasswordFile(before ?? []).faults.first {
            throw Failure.usage("\(file):\(line): \(fault.reason); correct the file and try again")
        }
        let verifier = delete ? nil : try verifier(of: Password.read(for: user))
        guard let after = PasswordFile.setting(ByteString(user), to: verifier, in: before ?? []) else {
            throw Failure.usage("\(file) has no user \(ByteString(user))")
        }
        try users.write(after)
    }

    private func verifier(of password: [UInt8]) throws -> PasswordVerifier {
        if scram, password.contains(where: { $0 >= 0x80 }) {
            Console.error(
                "warning: clients may take other bytes for this password (SASLprep); ASCII is the same for all")
        }
        do throws(AuthenticationFailure) {
            let salt = Process.randomBytes(scram ? ScramVerifier.saltUsual : PasswordVerifier.saltUsual)
            guard scram else {
                let iterations = iterations ?? PasswordVerifier.iterationsUsual
                return try PasswordVerifier(password: password, salt: salt, iterations: iterations)
            }
            let iterations = iterations ?? ScramVerifier.iterationsUsual
            return .scram(try ScramVerifier(password: password, salt: salt, iterations: iterations))
        } catch {
            throw Failure.runtime("no verifier can be made: \(error.words)")
        }
    }
}

/// Where a password comes from.
enum Password {
    private static let bytesMax = 1_024

    /// Asks twice at a terminal; else takes the first line of standard input.
    static func read(for user: String) throws -> [UInt8] {
        guard isatty(STDIN_FILENO) == 1 else { return try checked(line()) }
        let password = try checked(hidden("Password for \(ByteString(user)): "))
        guard try hidden("The same again: ") == password else {
            throw Failure.usage("the two passwords differ; nothing was changed")
        }
        return password
    }

    private static func checked(_ password: [UInt8]) throws -> [UInt8] {
        guard !password.isEmpty else { throw Failure.usage("there is no password; nothing was changed") }
        let isText = password.withUnsafeBytes { ByteView($0).isMQTTString }
        guard isText, password.count <= bytesMax, !password.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            throw Failure.usage("a password is UTF-8 of at most \(bytesMax) bytes, without control characters")
        }
        return password
    }

    /// A line from the terminal, which does not show it. Keys that would end the process are text meanwhile, so that
    /// the terminal never stays mute; they are then refused as control characters.
    private static func hidden(_ prompt: String) throws -> [UInt8] {
        var usual = termios()
        guard tcgetattr(STDIN_FILENO, &usual) == 0 else { throw Failure.runtime("the terminal does not answer") }
        var mute = usual
        mute.c_lflag &= ~tcflag_t(ECHO | ISIG)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &mute)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &usual)
            Console.error("")
        }
        prompt.withCString { _ = Glibc.write(STDERR_FILENO, $0, strlen($0)) }
        return line()
    }

    /// Up to the line feed or the end.
    private static func line() -> [UInt8] {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.count <= bytesMax, Glibc.read(STDIN_FILENO, &byte, 1) == 1, byte != 0x0A { bytes.append(byte) }
        if bytes.last == 0x0D { bytes.removeLast() }
        return bytes
    }
}
