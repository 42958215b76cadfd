internal import Bytes
internal import Clockwork
internal import MQTTSNWire
internal import Messaging

/// Gateway advertisement and discovery (§6.1).
///
/// Only ADVERTISE, SEARCHGW and GWINFO belong to a group. Everything else that comes by one is passed over: one
/// datagram to a group must not have each gateway open a session, or answer a forged address [D-65].
extension Gateway {
    /// Devices can be served from now on: the first ADVERTISE of each listener follows after a moment of chance, so
    /// that gateways which get their power back together do not speak at once [D-67].
    mutating func startServing() {
        guard !discovery.isServing else { return }
        discovery.isServing = true
        for (number, rules) in configuration.listeners.enumerated() where rules.groupLinks > 0 {
            let listener = UInt16(number)
            discovery.links += (0..<rules.groupLinks).map {
                Discovery.Link(name: GroupLink(listener: listener, number: $0))
            }
            let wait = random.below(Discovery.startSpread)
            discovery.announcers.append(
                Discovery.Announcer(
                    listener: listener, interval: max(1, rules.advertiseInterval), linkCount: rules.groupLinks,
                    hops: rules.groupHops, due: now.instant + .nanoseconds(Int64(wait))))
        }
        discovery.updateDeadline()
    }

    /// Nothing more is said in any group: a gateway that ends must not be found.
    mutating func stopServing() {
        discovery = Discovery()
    }

    /// Says what is due.
    mutating func advanceDiscovery() {
        guard let due = discovery.nextDeadline, due <= now.instant else { return }
        for index in discovery.announcers.indices { advertise(index) }
        for index in discovery.links.indices { answerSearches(index) }
        discovery.updateDeadline()
    }

    /// ADVERTISE in all groups of a listener. Duration is the interval, and the next one keeps to it however late
    /// this one is.
    private mutating func advertise(_ index: Int) {
        let announcer = discovery.announcers[index]
        guard announcer.due <= now.instant else { return }
        let gatewayID = configuration.rule({ $0.gatewayID }, of: announcer.listener)
        for number in 0..<announcer.linkCount {
            let link = GroupLink(listener: announcer.listener, number: number)
            let packet = SNPacket.advertise(gwID: gatewayID, duration: announcer.interval)  // [SN-5.4.1] [SN-6.1]
            effects.append(.multicast(packet, to: link, hops: announcer.hops))
        }
        let interval = Duration.seconds(Int64(announcer.interval))
        let next = announcer.due + interval
        discovery.announcers[index].due = next > now.instant ? next : now.instant + interval
    }

    /// GWINFO, once for all searches since the last one [D-66].
    private mutating func answerSearches(_ index: Int) {
        guard let due = discovery.links[index].answerDue, due <= now.instant else { return }
        let link = discovery.links[index]
        discovery.links[index].answerDue = nil
        discovery.links[index].restsUntil = now.instant + Discovery.answerPause
        let gatewayID = configuration.rule({ $0.gatewayID }, of: link.name.listener)
        // An answer by a gateway names no address: it is where the answer comes from.
        effects.append(
            .multicast(.gwInfo(gwID: gatewayID, gwAdd: .empty), to: link.name, hops: link.hops))  // [SN-5.4.3]
    }

    /// A message that was sent to a group. A client of this machine may search from the port that is also ours, as it
    /// must hear the group there; whatever else comes from there we have said ourselves.
    mutating func heard(_ packet: SNPacket, from path: DatagramPath, inGroup link: GroupLink, isOwn: Bool) {
        if case .searchGW(let radius) = packet { return searched(radius: radius, link) }
        guard !isOwn else { return }
        switch packet {
        case .advertise(let gatewayID, _):
            counters.advertisementsHeard += 1
            compare(gatewayID, of: path, link)
        case .gwInfo(let gatewayID, let address):
            counters.gatewayInfosHeard += 1
            // A client that tells others of a gateway names its address: that gateway may well be this one.
            if address.isEmpty { compare(gatewayID, of: path, link) }
        case .searchGW, .connect, .connack, .willTopicReq, .willTopic, .willMsgReq, .willMsg, .register, .regack,
            .publish, .puback, .pubrec, .pubrel, .pubcomp, .subscribe, .suback, .unsubscribe, .unsuback, .pingreq,
            .pingresp, .disconnect, .willTopicUpd, .willTopicResp, .willMsgUpd, .willMsgResp, .encapsulated:
            counters.unexpected += 1  // [D-65]
        }
    }

    /// SEARCHGW in a group: answered there after a moment of chance, by one GWINFO for all that come meanwhile
    /// [D-41] [D-66].
    private mutating func searched(radius: UInt8, _ link: GroupLink) {
        counters.groupSearches += 1
        guard let index = discovery.links.firstIndex(where: { $0.name == link }) else { return }
        // The radius of the search is that of the answer, as far as the operator lets us be heard. [SN-6.1]
        let most = configuration.rule({ $0.groupHops }, of: link.listener)
        let hops = radius == 0 ? most : min(radius, most)
        if discovery.links[index].answerDue != nil {
            return discovery.links[index].hops = max(discovery.links[index].hops, hops)
        }
        let chance = now.instant + .nanoseconds(Int64(random.below(Discovery.answerSpread)))
        discovery.links[index].answerDue = max(chance, discovery.links[index].restsUntil)
        discovery.links[index].hops = hops
        discovery.updateDeadline()
    }

    /// Gateways of one network have different ids: devices cannot tell the two apart otherwise [D-68].
    private mutating func compare(_ gatewayID: UInt8, of path: DatagramPath, _ link: GroupLink) {
        guard gatewayID == configuration.rule({ $0.gatewayID }, of: link.listener) else { return }
        counters.gatewayIDConflicts += 1
        guard let index = discovery.announcers.firstIndex(where: { $0.listener == link.listener }),
            discovery.announcers[index].warnsFrom <= now.instant
        else { return }
        discovery.announcers[index].warnsFrom = now.instant + Discovery.warningPause
        log(.gatewayIDTaken(gatewayID, by: path))
    }
}
