internal import MQTTSNWire
internal import Messaging

extension SNReturnCode {
    /// How MQTT-SN says what became of a PUBLISH (§5.3.10).
    init(_ outcome: PublishOutcome) {
        switch outcome {
        case .success, .noMatchingSubscribers: self = .accepted
        case .notAuthorized, .topicNameInvalid: self = .notSupported
        case .unspecifiedError, .packetIdentifierInUse, .packetIdentifierNotFound, .quotaExceeded,
            .receiveMaximumExceeded, .notRetained:
            self = .congestion
        }
    }

    /// How MQTT-SN says why something was not given (§5.3.10).
    init(_ refusal: Refusal) {
        switch refusal {
        case .quotaExceeded, .serverUnavailable: self = .congestion
        case .clientIdentifierNotValid, .topicFilterInvalid, .topicNameInvalid, .notAuthorized,
            .sharedSubscriptionsNotSupported:
            self = .notSupported
        }
    }
}
