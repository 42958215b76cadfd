package import Bytes
package import Clockwork
package import GatewayCore
internal import MQTTSNWire
package import Messaging

/// One datagram for a multicast group.
package struct Multicast: Equatable {
    /// Its bytes.
    package var bytes: ByteString
    /// The listener, and which of its groups and interfaces.
    package var link: Gateway.GroupLink
    /// Its time to live, or hop limit.
    package var hops: UInt8
}

/// Multicast groups, where devices look for gateways (MQTT-SN 1.2 §6.1).
extension Engine {
    /// Devices can come: the gateway may say so in its groups.
    package mutating func startServing(now: Now) {
        gateway.handle(.serving, now: now, into: &gatewayEffects)
        takeGatewayEffects(now)
    }

    /// One datagram that was sent to a group; `isOwn` if it comes from a socket of ours.
    package mutating func datagramReceived(
        _ bytes: ByteView, inGroup link: Gateway.GroupLink, from path: DatagramPath, isOwn: Bool, now: Now
    ) {
        datagramCounters.received += 1
        datagramCounters.bytesReceived += UInt64(bytes.count)
        do throws(SNDecodeError) {
            let packet = try SNPacket.decode(bytes)
            let event = Gateway.Event.receivedInGroup(packet, from: path, link, isOwn: isOwn)
            gateway.handle(event, now: now, into: &gatewayEffects)
        } catch {
            gateway.handle(.undecodable(from: path), now: now, into: &gatewayEffects)
        }
        takeGatewayEffects(now)
    }

    /// What is to be sent to groups since the last time.
    package mutating func takeMulticasts() -> [Multicast] {
        guard !multicasts.isEmpty else { return [] }
        defer { multicasts = [] }
        return multicasts
    }

    /// Encodes a message for a group.
    mutating func multicast(_ packet: SNPacket, to link: Gateway.GroupLink, hops: UInt8) {
        var buffer = OutputBuffer()
        defer { buffer.deallocate() }
        guard packet.encode(into: &buffer) else { return datagramCounters.tooLong += 1 }
        multicasts.append(Multicast(bytes: ByteString(buffer.pending), link: link, hops: hops))
        datagramCounters.sent += 1
        datagramCounters.bytesSent += UInt64(buffer.pending.count)
    }
}
