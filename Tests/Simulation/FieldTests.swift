import Foundation
import SimulationKit
import Testing

/// Fields of devices. `Tests/run` plays a thousand of them for a day, in release mode, and makes the table anew.
@Suite struct FieldTests {
    private var plan: Field.Plan {
        var plan = Field.Plan()
        plan.devices = 30
        plan.duration = .seconds(4 * 3_600)
        return plan
    }

    @Test(
        "Nothing is lost, doubled or out of order while the gateway lives, and every wake ends [SN-6.14] [D-17] [D-18]")
    func promisesHold() {
        let outcome = Field.run(seed: 7, plan: plan)
        #expect(outcome.faults == [], "make sim FIELD=7 DEVICES=30 HOURS=4")
        #expect(outcome.received > 500)
        #expect(outcome.wakes > 50)
    }

    @Test("One field is one course of events")
    func isDeterministic() {
        #expect(Field.run(seed: 3, plan: plan).hash == Field.run(seed: 3, plan: plan).hash)
        #expect(Field.run(seed: 3, plan: plan).hash != Field.run(seed: 4, plan: plan).hash)
    }

    @Test("Without loss a message from a device takes two packets at QoS 1 and four at QoS 2")
    func costs() {
        var plan = Field.Plan.table(loss: 0)
        plan.devices = 20
        plan.duration = .seconds(3_600)
        let outcome = Field.run(seed: 1, plan: plan)
        #expect(outcome.faults == [])
        let packets = outcome.figures.prefix(2).map { ($0.packets * 10).rounded() / 10 }
        #expect(packets == [2, 4])
    }

    @Test("The table in the documentation is the one that the tests compare with")
    func tableIsDocumented() throws {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let table = try String(contentsOf: tests.appendingPathComponent("field.txt"), encoding: .utf8)
        let root = tests.deletingLastPathComponent().deletingLastPathComponent()
        let page = try String(contentsOf: root.appendingPathComponent("docs/FIELD.md"), encoding: .utf8)
        #expect(page.contains(table), "copy Tests/Simulation/field.txt into docs/FIELD.md")
    }
}
