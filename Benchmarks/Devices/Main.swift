import Bytes
import MQTTSNWire
import Measuring

/// `bench-devices [--quick]`: what very many devices cost in each state, and the messages that wait for them.
@main
enum Main {
    static func main() {
        let count = CommandLine.arguments.contains("--quick") ? 1_000 : 100_000
        print("| \(count) devices | each | longest |\n| --- | --: | --: |")
        run(Steps(count: count))
    }

    private static func run(_ steps: consuming Steps) {
        steps.each("connect") { field, device in field.connect(device) }
        steps.each("register a first topic") { field, device in
            field.register(topic("field/", "/temperature", device), msgID: 1, device)
        }
        steps.each("register a second topic") { field, device in
            field.register(topic("field/", "/battery", device), msgID: 2, device)
        }
        steps.each("subscribe to the second topic") { field, device in
            field.subscribe(topic("field/", "/battery", device), msgID: 3, device)
        }
        steps.total("an active device")
        let payload = ByteString([UInt8](repeating: 0x78, count: 64))
        steps.each("publish 64 bytes at QoS 0") { field, device in field.publishUp(.zero, payload, device) }
        steps.each("publish 64 bytes at QoS 1") { field, device in field.publishUp(.one, payload, device) }
        steps.each("fall asleep") { field, device in field.sleep(device) }
        steps.total("a sleeping device")
        steps.silence()

        steps.field.connectPublisher()
        for round in [1, 9] {
            steps.each("buffer \(round) of 64 bytes", operations: round) { field, device in
                for _ in 0..<round { field.publish(topic("field/", "/battery", device), payload.bytes) }
            }
        }
        steps.each("wake, and take 10 messages") { field, device in
            let received = field.wake(device)
            precondition(received == 10, "device \(device) received \(received)")
        }
        steps.total("a sleeping device that has taken its messages")
        steps.field.tearDown()
    }

    private static func topic(_ head: String, _ tail: String, _ device: Int) -> ByteString {
        ByteString(head + Field.clientID(device).description + tail)
    }
}

/// The field, and the memory that it took before each step.
struct Steps {
    var field: Field
    private let before: Int
    private var last: Int

    init(count: Int) {
        field = Field(count: count, queuedMessages: 10)
        before = residentBytes()
        last = before
    }

    /// Lets each device do something, and reports its time and what memory the process took for it.
    mutating func each(_ what: String, operations: Int = 1, _ body: (inout Field, Int) -> Void) {
        var series = Series()
        for device in 0..<field.count { series.time { body(&field, device) } }
        let bytes = residentBytes()
        report(what, "\(series.nanoseconds / operations) ns", "\(series.milliseconds) ms")
        report("… memory", "\((bytes - last) / field.count / operations) bytes", "")
        last = bytes
    }

    func total(_ what: String) {
        report("**memory of \(what)**", "\((residentBytes() - before) / field.count) bytes", "")
    }

    /// An hour in which nobody says anything.
    mutating func silence() {
        precondition(field.asleep == field.count, "\(field.asleep) devices are asleep")
        let begin = processorNanoseconds()
        let calls = field.pass(.seconds(3_600))
        report("an hour of silence, all asleep", "\(processorNanoseconds() - begin) ns", "")
        report("… calls of the engine in it", "\(calls)", "")
    }
}
