internal import Messaging

/// Whose a session is, and who may take it over [D-15] [M-131].
extension Broker {
    /// Whether a user must leave alone a session that nobody in particular has: that of a device which is there. It has
    /// no other way to show that it is its own.
    func mustNotClaim(_ session: Int, _ offer: SessionOffer, _ link: LinkID) -> Bool {
        sessions[session].userName == nil && offer.userName != nil && !link.isDevice && sessions[session].isDevice
            && sessions[session].attachment != nil
    }

    /// A user who comes to a session that was nobody's begins anew: what waits there was for somebody else, as far as
    /// anybody knows [M-131].
    func withoutClaim(_ session: Int?, _ offer: SessionOffer) -> SessionOffer {
        guard let session, sessions[session].userName == nil, offer.userName != nil else { return offer }
        var offer = offer
        offer.cleanStart = true
        return offer
    }

    /// The session is the client's who brings the offer, and under the rules of the listener that it came by.
    mutating func takeIdentity(of offer: SessionOffer, _ slot: Int) {
        guard sessions[slot].userName != offer.userName || sessions[slot].listener != offer.listener else { return }
        sessions[slot].userName = offer.userName ?? sessions[slot].userName
        sessions[slot].listener = offer.listener
        forgetPublisher(slot)
        if isRestricted { moveOn() }
    }
}
