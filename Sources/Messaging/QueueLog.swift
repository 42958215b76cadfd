/// What is worth a line in the log about queues that are full: one when it begins and one when it is over, however many
/// messages come in between.
package enum QueueLog: Equatable, Sendable {
    /// The queue of this client is full: messages for it are dropped, or refused.
    case full(ClientID)
    /// The queue of this client is empty again, or has ended with its session; so many messages found no room.
    case emptied(ClientID, turnedAway: UInt64)
    /// The database no longer has messages that wait for this client: they are lost.
    case unreadable(ClientID)
    /// The room that all queues share is used up.
    case allFull
    /// There is room for all again, so much that it will not be used up at once; so many messages found none.
    case allHaveRoom(turnedAway: UInt64)
}
