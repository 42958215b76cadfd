import Bytes
import Foundation
import Testing

@testable import Configuration

/// The `gateway.conf` that ships: it must start, and it must document what the table of directives knows.
@Suite struct ShippedConfigurationTests {
    private static let path = URL(fileURLWithPath: ConfigurationFixture.root).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("gateway.conf").path

    private var lines: [String] {
        let data = FileManager.default.contents(atPath: Self.path) ?? Data()
        return String(decoding: data, as: UTF8.self).components(separatedBy: "\n")
    }

    @Test("The shipped file opens MQTT and MQTT-SN on loopback, with nothing to complain about")
    func shippedFileStarts() throws {
        let outcome = GatewayConfiguration.load(path: Self.path)
        #expect(outcome.diagnostics.isEmpty, "\(outcome.diagnostics)")
        let configuration = try #require(outcome.configuration)
        #expect(configuration.listeners.count == 2)
        for listener in configuration.listeners {
            #expect(listener.port == 1883)
            #expect(listener.addresses == [.v4([127, 0, 0, 1])])
            #expect(listener.allowsAnonymous)
        }
        guard case .mqttsn(let devices) = configuration.listeners[1].kind else {
            Issue.record("the second listener is not for devices")
            return
        }
        #expect(devices.gatewayID == 1)
        #expect(devices.predefinedTopics.map { $0.name } == ["sensors/%c/temperature", "sensors/%c/command"])
    }

    @Test("What stands in the shipped file as `#name value` is the default of that directive")
    func documentedDefaultsHold() throws {
        let uncommented = lines.map { line in
            let second = line.dropFirst().first
            return line.hasPrefix("#") && second != " " && second != nil ? String(line.dropFirst()) : line
        }
        #expect(uncommented != lines)
        let outcome = MemorySource(uncommented.joined(separator: "\n")).outcome
        #expect(outcome.diagnostics.isEmpty, "\(outcome.diagnostics)")
        var configuration = try #require(outcome.configuration)
        let shipped = try #require(GatewayConfiguration.load(path: Self.path).configuration)
        for index in configuration.listeners.indices {
            configuration.listeners[index].origin = shipped.listeners[index].origin
        }
        #expect(configuration == shipped)
    }

    @Test("Every directive of the table is named in the shipped file, the active ones at the head of a line")
    func everyDirectiveIsDocumented() {
        let heads = Set(
            lines.flatMap { line -> [String] in
                let text = line.hasPrefix("#") ? line.dropFirst() : line[...]
                return text.split(separator: " ").prefix(1).map { String($0) }
            })
        let words = Set(lines.flatMap { $0.split { " ,:()`".contains($0) }.map { String($0) } })
        for row in DirectiveTable.rows {
            let isInside = row.name == "bind_address" || row.name == "maximum_qos"
            if row.isActive, !isInside { #expect(heads.contains(row.name), "\(row.name)") }
            #expect(words.contains(row.name), "\(row.name)")
        }
    }
}
