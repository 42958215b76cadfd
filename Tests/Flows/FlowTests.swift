import Testing

/// Plays `Fixtures/flows` against the engine, with a clock of its own.
@Suite struct FlowTests {
    @Test("A flow goes as it is written", arguments: Flow.all)
    func plays(flow: Flow) throws {
        let fault = try FlowPlayer.play(flow)
        #expect(fault == nil, "\(flow.title): \(fault ?? "")")
    }

    @Test("There are flows, and each has a title of its own")
    func titles() {
        let titles = Flow.all.map(\.title)
        #expect(titles.count > 50)
        #expect(Set(titles).count == titles.count)
    }

    @Test(
        "What is not as a flow says is noticed",
        arguments: [
            // Nothing comes, another message comes, another field, one more, another value of a name.
            ["dev > hex 00", "dev < CONNACK"],
            ["dev > CONNECT clientID='dev'", "dev < PINGRESP"],
            ["dev > CONNECT clientID='dev'", "dev < CONNACK returnCode=congestion"],
            ["dev > CONNECT clientID='dev'"],
            ["dev > CONNECT clientID='dev'", "dev > PINGREQ", "dev < CONNACK"],
            [
                "dev > CONNECT clientID='dev'", "dev < CONNACK", "dev > REGISTER msgID=1 topicName='a'",
                "dev < REGACK topicID=$t msgID=1", "dev > REGISTER msgID=2 topicName='b'",
                "dev < REGACK topicID=$t msgID=2",
            ],
            ["app > subscribe 'a'", "app > publish 'a' 'x'", "app < 'a' 'y'"],
            ["dev > CONNECT clientID='dev' duration=1s", "dev < CONNACK", "advance 2s", "dev < nothing"],
            ["dev > PUBLISH topicID=$unknown data='x'"],
            ["dev > NOTHING"],
        ])
    func notices(lines: [String]) throws {
        let flow = Flow(title: "wrong", cites: [], steps: lines.map { .line($0) })
        #expect(try FlowPlayer.play(flow) != nil)
    }
}
