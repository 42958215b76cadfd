/// A fault on purpose: the model is told one rule wrongly, or is shown something else than the server sent. Each one
/// must be noticed within a few seeds, or the model proves nothing.
package enum Mutation: String, CaseIterable, Sendable {
    // The model believes something wrong.
    case noLocalIgnored, retainNeverAsPublished, lowestQoS, sessionNeverPresent, willWithoutDelay, noWills
    case expiryNotCounted, retainedForEver, unsubscribeIgnored, keepAliveTwice, exactlyOnceTwice, smallerWindow
    case sharedWithAll
    // The server seems to do something wrong.
    case lostDelivery, doubledDelivery, lostAcknowledgement, clearedDuplicateFlag, swappedUserProperties
}

extension Mutation {
    /// What the model is shown in place of a packet; `isChosen` now and then.
    func shown(_ packet: ServerPacket, isChosen: Bool) -> [ServerPacket] {
        switch (self, packet) {
        case (.lostDelivery, .publish) where isChosen: return []
        case (.doubledDelivery, .publish) where isChosen: return [packet, packet]
        case (.lostAcknowledgement, .step) where isChosen: return []
        case (.clearedDuplicateFlag, .publish(var publish)):
            publish.dup = false
            return [.publish(publish)]
        case (.swappedUserProperties, .publish(var publish)):
            publish.properties.reverse()
            return [.publish(publish)]
        default: return [packet]
        }
    }
}
