import Authentication
import Bytes
import Configuration
import ConnectionCore
import Engine
import GatewayCore
import MQTTWire
import Messaging
import Transport
import WebSocket

// How the log says things: one place for all words.

extension ListenerPlan.Kind {
    var title: String {
        switch self {
        case .mqtt: "MQTT over TCP"
        case .webSocket: "MQTT over WebSocket"
        case .mqttsn: "MQTT-SN over UDP"
        }
    }

    var securedTitle: String {
        switch self {
        case .mqtt: "MQTT over TLS"
        case .webSocket: "MQTT over WebSocket and TLS"
        case .mqttsn: "MQTT-SN over DTLS"
        }
    }
}

extension ProtocolVersion {
    var title: String {
        switch self {
        case .v3_1: "MQTT 3.1"
        case .v3_1_1: "MQTT 3.1.1"
        case .v5: "MQTT 5.0"
        }
    }
}

extension ConnectionEnd {
    var words: String {
        switch self {
        case .disconnected: "the client disconnected"
        case .lost: "the connection closed without DISCONNECT"
        case .violated(let code): "the client broke the protocol (\(code))"
        case .carrier(let words): words
        case .connectTimedOut: "CONNECT did not arrive in time"
        case .keepAliveTimedOut: "silent for longer than its keep-alive allows"
        case .refused(let code): "refused (\(code))"
        case .closed(let reason): "closed by the broker (\(reason))"
        case .readsTooSlowly: "the client does not read what it is sent"
        }
    }
}

extension HandshakeRequest {
    var words: String {
        (subprotocol.map(\.description) ?? "no subprotocol") + (origin.map { ", from a page of \($0)" } ?? "")
    }
}

extension GatewayLog {
    /// Whether `connection_messages` decides about it.
    var isAboutComingAndGoing: Bool {
        switch self {
        case .connected, .disconnected, .fellAsleep, .lost, .refused, .moved, .claimRejected: true
        case .tooLong, .topicTableFull, .topicRefused, .predefinedTopicRefused, .gatewayIDTaken, .forwarderRefused,
            .forwarderFull, .nodeIDTooLong, .clientRefused, .outsiderIgnored:
            false
        }
    }

    /// The line of the log.
    var line: String {
        switch self {
        case .gatewayIDTaken, .forwarderFull: words
        default: "device \(words)"
        }
    }

    private var words: String {
        switch self {
        case .connected(let id, let address, let sessionPresent):
            "\(id) connected from \(address)\(sessionPresent ? ", its session goes on" : "")"
        case .disconnected(let id, nil): "\(id) disconnected"
        case .disconnected(let id, let reason?): "\(id) disconnected by the broker (\(reason))"
        case .fellAsleep(let id, let seconds): "\(id) sleeps for \(seconds) s"
        case .lost(let id): "\(id) is lost: it does not answer"
        case .refused(let id, let address, let code): "\(id) refused at \(address): \(code)"
        case .moved(let id, let address): "\(id) moved to \(address)"
        case .claimRejected(let id, let address): "\(id) claimed from \(address), while its owner answers or sleeps"
        case .topicRefused(let id, let topicID, let code): "\(id) refuses topic id \(topicID): \(code)"
        case .predefinedTopicRefused(let id, let topicID, let code):
            "\(id) does not know predefined topic id \(topicID): \(code)"
        case .tooLong(let id, let bytes): "\(id) cannot take a message of \(bytes) bytes: dropped"
        case .gatewayIDTaken(let id, let path):
            "the gateway at \(path.remote) has our gateway_id, \(id): give one of the two another, for devices cannot "
                + "tell them apart"
        case .topicTableFull(let id): "\(id) has no topic id left"
        case .forwarderRefused(let address):
            "at \(address) sends encapsulated messages and is no forwarder of this listener (`forwarder ADDRESS`)"
        case .forwarderFull(let address, let devices):
            "the forwarder at \(address) has \(devices) devices behind it; there may be no more "
                + "(max_devices_per_forwarder)"
        case .clientRefused(let id, let address):
            "\(id) refused at \(address): its listener does not take the client id, or it is another user's"
        case .outsiderIgnored(let address): "at \(address) ignored: it is in none of the listener's allow_networks"
        case .nodeIDTooLong(let address, let bytes):
            "behind \(address) has a wireless node id of \(bytes) bytes: dropped"
        }
    }
}

extension AuthenticationFailure {
    var words: String {
        switch self {
        case .tooLong: "a message, name or nonce is too long"
        case .malformed: "the message is none of the method"
        case .channelBindingNotSupported: "channel binding is not supported"
        case .extensionNotSupported: "it wants an extension that is not supported"
        case .authorizationIdentityDiffers: "it wants to act as somebody else"
        case .doesNotContinue: "the last message does not go with the first"
        case .wrongProof: "wrong password, or no such user"
        case .isOver: "the exchange was over"
        case .digestUnavailable: "SHA-256 is not to be had from this machine's OpenSSL"
        }
    }
}

extension QueueLog {
    var words: String {
        switch self {
        case .full(let id): "the queue of \(id) is full"
        case .emptied(let id, let count): "the queue of \(id) is empty again; \(count) messages found it full"
        case .unreadable(let id):
            "messages that wait for \(id) are not in the database any more, though they should be: they are lost"
        case .allFull: "the room for all queues together is used up"
        case .allHaveRoom(let count): "there is room in the queues again; \(count) messages found none"
        }
    }
}

extension Durability {
    /// What an acknowledgement promises, for the log.
    var words: String {
        switch self {
        case .disk: "durability disk: what is acknowledged is on disk, and outlives the power"
        case .process: "durability process: what is acknowledged outlives the process; the disk has it a second later"
        case .none: "durability none: everything is in memory; sessions and messages end with the process"
        }
    }
}

extension Restoration {
    /// What was there, for the log.
    var words: String {
        "\(holdings.sessions) sessions, \(holdings.devices) devices, \(holdings.subscriptions) subscriptions, "
            + "\(holdings.messages) messages that wait, \(holdings.retained) retained, read in "
            + "\(duration.components.seconds * 1_000 + duration.components.attoseconds / 1_000_000_000_000_000) ms"
    }
}
