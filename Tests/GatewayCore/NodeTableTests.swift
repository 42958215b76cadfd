import Bytes
import Clockwork
import Messaging
import Testing

@testable import GatewayCore

@Suite struct NodeTableTests {
    private func table() -> NodeTable { NodeTable(hasher: KeyHasher(seeds: 1, 2)) }

    @Test("An id has 1 to 32 bytes, and all of them count [D-60]")
    func ids() {
        #expect(WirelessNodeID(.empty) == nil)
        #expect(WirelessNodeID(view([UInt8](repeating: 7, count: 33))) == nil)
        for count in 1...32 {
            let bytes = [UInt8](repeating: 7, count: count)
            let id = WirelessNodeID(view(bytes))
            #expect(id?.withView { Array($0.memory) } == bytes)
            #expect(id?.count == count)
            #expect(id?.wrappingBytes == count + 3)
            #expect(id == WirelessNodeID(view(bytes)))
            #expect(id != WirelessNodeID(view([UInt8](repeating: 7, count: count - 1) + [8])))
            #expect(id != WirelessNodeID(view([UInt8](repeating: 7, count: count % 32 + 1))))
        }
    }

    @Test("An entry takes 40 bytes and no memory of its own")
    func size() {
        #expect(MemoryLayout<WirelessNodeID>.stride <= 34)
    }

    @Test("A number stays as long as somebody holds it, and is then given again")
    func numbers() {
        var table = table()
        func number(_ id: String) -> UInt32? { table.number(of: view(id)) }
        #expect(number("a") == 1)
        #expect(number("b") == 2)
        #expect(number("a") == 1)
        table.hold(1)
        table.hold(1)
        table.forgetIdle()
        #expect(table.count == 1)
        #expect(table[2] == nil)
        table.release(1)
        table.forgetIdle()
        #expect(table[1] == WirelessNodeID(view("a")))
        table.release(1)
        // Nobody holds it, but the event is not over: it can be taken up again.
        #expect(table[1] != nil)
        #expect(number("a") == 1)
        table.hold(1)
        table.release(1)
        table.hold(1)
        table.forgetIdle()
        #expect(table[1] != nil)
        table.release(1)
        table.forgetIdle()
        #expect(table.count == 0)
        #expect(!table.hasIdle)
        #expect(number("c") == 1)
        #expect(number("d") == 2)
        #expect(number("") == nil)
    }

    @Test("Records are counted by their forwarder, whatever its ports, and those without a node are not [D-90]")
    func records() {
        var table = table()
        func path(_ node: String, host: Int = 1, port: Int = 1) -> DatagramPath {
            var path = World.path(port, host: host)
            path.node = table.number(of: view(node)) ?? 0
            return path
        }
        let (one, two, far) = (path("a"), path("b", port: 2), path("a", host: 2))
        for path in [one, two, far] { table.moveIn(path) }
        table.moveIn(World.path(1))
        #expect(table.recordCount(behind: World.path(9)) == 2)
        #expect(table.recordCount(behind: far) == 1)
        #expect(table.forwarderCount == 2)
        for path in [one, two, far] { table.moveOut(path) }
        table.moveOut(World.path(1))
        #expect(table.recordCount(behind: one) == 0)
        #expect(table.forwarderCount == 0)
        table.forgetIdle()
        #expect(table.count == 0)
    }

    @Test("0 is nobody: holding and releasing it does nothing")
    func nobody() {
        var table = table()
        table.hold(0)
        table.release(0)
        #expect(table[0] == nil)
        #expect(table[9] == nil)
        #expect(!table.hasIdle)
    }

    @Test("A random course agrees with a dictionary", arguments: 1...8 as ClosedRange<UInt64>)
    func model(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var table = table()
        var held: [String: Int] = [:]
        var numbers: [String: UInt32] = [:]
        for _ in 0..<5_000 {
            let id = "node \(random.below(40))"
            switch random.below(5) {
            case 0, 1:
                guard let number = table.number(of: view(id)) else {
                    Issue.record("no number")
                    return
                }
                if held[id, default: 0] > 0 { #expect(numbers[id] == number) }
                numbers[id] = number
                table.hold(number)
                held[id, default: 0] += 1
            case 2, 3:
                guard let count = held[id], count > 0, let number = numbers[id] else { continue }
                table.release(number)
                held[id] = count - 1
            default:
                if table.hasIdle { table.forgetIdle() }
                #expect(table.count == held.values.count { $0 > 0 })
            }
            if let count = held[id], count > 0, let number = numbers[id] {
                #expect(table[number] == WirelessNodeID(view(id)))
            }
        }
    }
}
