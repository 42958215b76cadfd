package import Bytes

/// Clients that have shown who they are before they say CONNECT: by a certificate, or by a pre-shared key.
extension Connections {
    /// What secures a connection has shown who the client is, before its first byte. Whatever CONNECT says about it
    /// later is not believed, and no password is asked for.
    package mutating func identified(_ slot: Int, userName: ByteString) {
        guard case .opened = connections[slot].state else { return }
        connections[slot].transportIdentity = userName
    }

    /// Tells the operator by which name a client goes whose CONNECT is taken.
    func tellTransportIdentity(of slot: Int, into effects: inout [ConnectionEffect]) {
        guard let userName = connections[slot].transportIdentity else { return }
        effects.append(.log(slot: slot, .authenticated(connections[slot].clientID, userName: userName)))
    }

    /// What holds for a CONNECT: the listener's rules, by which nobody has to show again who it is.
    func admission(of slot: Int) -> ConnectionLimits.Listener {
        var rules = rules(of: slot)
        if connections[slot].transportIdentity != nil {
            rules.allowsAnonymous = true
        } else if rules.demandsTransportIdentity {
            rules.allowsAnonymous = false
        }
        return rules
    }
}
