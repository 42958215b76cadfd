package import MQTTSNWire
package import Messaging

extension Gateway {
    /// What can happen to the gateway from outside.
    package enum Event {
        /// A message came in. Its views live during the call.
        case received(SNPacket, from: DatagramPath)
        /// A message came in that was sent to a multicast group, perhaps by ourselves: groups bring back what one
        /// says in them. Its views live during the call.
        case receivedInGroup(SNPacket, from: DatagramPath, GroupLink, isOwn: Bool)
        /// Bytes came in that are no message: counted, never answered [D-36].
        case undecodable(from: DatagramPath)
        /// The broker answered the device in `slot`. `MessageView` comes with `deliver` and only with it.
        case answered(slot: Int, LinkAnswer, MessageView?)
        /// The gateway can serve from now on, and may say so in its groups.
        case serving
        /// The gateway ends: every device that listens is told.
        case shutDown
    }
}
