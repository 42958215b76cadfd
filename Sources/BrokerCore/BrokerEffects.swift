package import Messaging

/// What the broker wants done, in order. The engine drains it after each event and keeps its storage.
package struct BrokerEffects {
    package var list: [BrokerEffect] = []
    /// What to tell the operator: apart, so that the many answers stay as small as they are.
    package var logs: [QueueLog] = []

    package init() {}

    mutating func answer(_ link: LinkID, _ answer: LinkAnswer) {
        list.append(.answer(link, answer))
    }
}

/// One thing the broker wants done.
package enum BrokerEffect: Equatable {
    /// Tell the link.
    case answer(LinkID, LinkAnswer)
}
