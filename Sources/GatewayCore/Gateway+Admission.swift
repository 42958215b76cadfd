package import Bytes
internal import Clockwork
internal import MQTTSNWire
package import Messaging

extension Gateway.Configuration {
    /// Which devices may come by a listener, from where, and who they are [D-120].
    package struct Admission: Equatable, Sendable {
        /// From where: anywhere if there are none. Forwarders may be anywhere.
        package var networks: [Gateway.Network] = []
        /// Whose client ids fit: everybody's if there are none.
        package var clients: [GlobPattern] = []
        /// Which user a device is, by its client id.
        package var users: DeviceUsers?
        /// Who a device is of which nothing else is known; nil for nobody in particular.
        package var user: ByteString?
        /// Who publishes at QoS -1 without being connected; nil for nobody in particular [D-33].
        package var anonymousPublishUser: ByteString?

        package init() {}
    }
}

extension Gateway {
    /// A range of addresses.
    package struct Network: Equatable, Sendable {
        /// One of its addresses; of its port nothing is said here.
        package var address: PeerAddress
        /// How many bits of it count: up to 32 for IPv4, up to 128 for IPv6.
        package var prefixBits: Int

        package init(address: PeerAddress, prefixBits: Int) {
            self.address = address
            self.prefixBits = prefixBits
        }

        /// Whether the address is in it. The interface of a link-local one does not count.
        package func contains(_ remote: PeerAddress) -> Bool {
            guard remote.isIPv4 == address.isIPv4 else { return false }
            let bits = address.isIPv4 ? 96 + prefixBits : prefixBits
            return (remote.high ^ address.high) & Self.mask(bits) == 0
                && (remote.low ^ address.low) & Self.mask(bits - 64) == 0
        }

        /// So many ones, from the highest bit on.
        private static func mask(_ bits: Int) -> UInt64 {
            bits <= 0 ? 0 : UInt64.max << UInt64(64 - min(bits, 64))
        }
    }
}

/// Which devices may come, and who they are: asked before anything is remembered of them.
extension Gateway {
    /// Other rules for who may come by the listeners from now on. Who is connected stays until its next CONNECT; from
    /// outside of the networks nobody is heard any more.
    package mutating func setAdmission(_ listeners: [Configuration.Listener]) {
        for index in configuration.listeners.indices where index < listeners.count {
            configuration.listeners[index].admission = listeners[index].admission
            configuration.listeners[index].allowsAnonymous = listeners[index].allowsAnonymous
            configuration.listeners[index].allowsAnonymousPublish = listeners[index].allowsAnonymousPublish
        }
    }

    /// Who publishes at QoS -1 by a listener without being connected, for the access rules [D-33].
    package func stranger(at listener: UInt16) -> ClientIdentity {
        ClientIdentity(
            clientID: nil, userName: configuration.rules(of: listener).admission.anonymousPublishUser,
            listener: listener)
    }

    // MARK: - From where

    /// Whether a message comes from one of its listener's networks, or from a forwarder [D-120].
    @inline(__always)
    func isInside(_ path: DatagramPath) -> Bool {
        if configuration.rule({ $0.admission.networks.isEmpty }, of: path.listener) { return true }
        return configuration.rule({ $0.admission.networks.contains { $0.contains(path.remote) } }, of: path.listener)
            || configuration.isForwarder(path)
    }

    /// Outside of its networks a listener answers nothing, so that nobody learns that it is there [D-120].
    mutating func outsiderSent(from path: DatagramPath) {
        counters.outsidersIgnored += 1
        logSparingly(.outsiderIgnored(DeviceAddress(path.remote)))
    }

    // MARK: - Who

    /// Whether a listener takes a client id: one that its patterns allow, of a device whose user is known, unless
    /// anybody may come [D-120].
    func mayConnect(_ clientID: ByteView, at path: DatagramPath) -> Bool {
        let rules = configuration.rules(of: path.listener)
        let clients = rules.admission.clients
        guard clients.isEmpty || clients.contains(where: { $0.matches(clientID) }) else { return false }
        return rules.allowsAnonymous || knownUser(clientID, at: path) != nil
    }

    /// Which user a device is at an address: the one that is known of it, or its listener's [D-121].
    func userName(of clientID: ByteView, at path: DatagramPath) -> ByteString? {
        knownUser(clientID, at: path) ?? configuration.rule({ $0.admission.user }, of: path.listener)
    }

    /// Which user the device in `slot` is.
    func userName(of slot: Int) -> ByteString? {
        table[slot].clientID.withView { userName(of: $0, at: table[slot].path) }
    }

    /// Whether whoever speaks from `path` is the user whose device this is: only then may it have its place [D-15].
    func isSameUser(_ slot: Int, at path: DatagramPath) -> Bool {
        guard table[slot].path != path else { return true }
        return table[slot].clientID.withView { userName(of: $0, at: path) } == userName(of: slot)
    }

    /// The user that a device has shown itself to be, or that the listener's list says it is.
    private func knownUser(_ clientID: ByteView, at path: DatagramPath) -> ByteString? {
        configuration.rule({ $0.admission.users?.user(of: clientID) }, of: path.listener)
    }

    /// CONNECT of a client id that must not come: refused, and told once a second at most.
    mutating func turnDown(_ clientID: ByteView, _ path: DatagramPath) {
        counters.connectsRefused += 1
        counters.clientsRefused += 1
        send(.connack(.notSupported), to: path)  // [D-120]
        logSparingly(.clientRefused(ByteString(clientID), at: address(of: path)))
    }
}
