/// A place in a configuration file.
package struct FileLocation: Hashable, Sendable {
    /// The file as it was named: on the command line, or by its `include_dir`.
    package var file: String
    /// Counted from 1; 0 speaks of the file as a whole.
    package var line: Int

    package init(file: String, line: Int) {
        self.file = file
        self.line = line
    }
}

/// Something to say about a configuration file: a fault, a directive that does less than it says, a default that
/// is worth knowing.
package struct Diagnostic: Equatable, Sendable {
    /// How much it matters.
    package enum Severity: String, Sendable {
        /// The gateway does not start.
        case error
        /// The gateway starts, but not all holds that the file says.
        case warning
        /// A decision that the file left to us.
        case note
    }

    package var location: FileLocation
    package var severity: Severity
    /// One sentence or two: what is wrong and what to write instead.
    package var message: String

    package init(_ severity: Severity, at location: FileLocation, _ message: String) {
        self.severity = severity
        self.location = location
        self.message = message
    }
}

extension Diagnostic: CustomStringConvertible {
    /// `FILE:LINE: error: MESSAGE`, the form that editors jump to; without the line where there is none. Control
    /// characters of a file's name are escaped.
    package var description: String {
        let line = location.line > 0 ? ":\(location.line)" : ""
        return "\(location.file.escapedForTerminal)\(line): \(severity.rawValue): \(message)"
    }
}

extension String {
    /// The text with control characters and backslashes as `\xNN`, so that a file cannot write to the terminal of
    /// its reader. Other Unicode stays readable.
    var escapedForTerminal: String {
        var text = ""
        for scalar in unicodeScalars {
            switch scalar.value {
            case 0x00..<0x20, 0x7F..<0xA0, 0x2028, 0x2029, 0x202A...0x202E, 0x2066...0x2069:
                text += "\\x{" + String(scalar.value, radix: 16) + "}"
            default: text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}
