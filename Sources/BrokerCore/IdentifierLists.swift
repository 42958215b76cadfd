import Messaging

/// The lists of subscription identifiers of deliveries that match several subscriptions of one client
/// (MQTT 5.0 §3.3.4). Rare, so they live here and a delivery carries a number.
struct IdentifierLists {
    private var lists: [[UInt32]] = []
    private var free: [Int] = []

    mutating func insert(_ identifiers: [UInt32]) -> SubscriptionIdentifiers {
        if let index = free.popLast() {
            lists[index] = identifiers
            return .list(index)
        }
        lists.append(identifiers)
        return .list(lists.count - 1)
    }

    subscript(index: Int) -> [UInt32] { lists[index] }

    mutating func release(_ identifiers: SubscriptionIdentifiers) {
        guard let index = identifiers.listIndex else { return }
        lists[index] = []
        free.append(index)
    }
}
