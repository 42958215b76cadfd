package import Bytes
internal import Messaging

/// The properties of a PUBLISH: MQTT 5.0 §3.3.2.3. What the server acts on is taken out in one pass; the rest stays
/// as it is on the wire and travels with the message.
package struct PublishProperties: Equatable {
    /// The section without its length, validated.
    package let raw: ByteView
    /// 1 to 65,535; whether it is within the maximum is for the connection to say [MQTT-3.3.2-9].
    package private(set) var topicAlias: UInt16?
    /// Seconds.
    package private(set) var messageExpiryInterval: UInt32?
    /// 0 for unspecified bytes, 1 for UTF-8.
    package private(set) var payloadFormatIndicator: UInt8?
    /// Whether there are Subscription Identifiers: a server refuses them from a client [MQTT-3.3.4-6].
    package private(set) var hasSubscriptionIdentifiers: Bool
    private var isForwardable: Bool

    /// No properties: every PUBLISH before MQTT 5.
    package init() {
        self.init(raw: .empty)
    }

    private init(raw: ByteView) {
        self.raw = raw
        topicAlias = nil
        messageExpiryInterval = nil
        payloadFormatIndicator = nil
        hasSubscriptionIdentifiers = false
        isForwardable = true
    }

    /// A section from a peer, or one that we wrote ourselves.
    ///
    /// - Throws: as `PropertyList.init(validating:in:limits:)`, and for a response topic with wildcards.
    package init(
        validating section: ByteView, limits: DecodeLimits = DecodeLimits()
    ) throws(MQTTDecodeError) {
        self.init(raw: section)
        if section.isEmpty { return }
        var scanner = PropertyScanner(section, in: .publish, limits: limits)
        while let (id, value) = try scanner.next() {
            try take(id, value)
        }
    }

    private mutating func take(_ id: PropertyID, _ value: PropertyValue) throws(MQTTDecodeError) {
        switch (id, value) {
        case (.topicAlias, .uint16(let alias)):
            guard alias != 0 else { throw .zeroTopicAlias }  // [MQTT-3.3.2-8]
            topicAlias = alias
        case (.messageExpiryInterval, .uint32(let seconds)): messageExpiryInterval = seconds
        case (.subscriptionIdentifier, _): hasSubscriptionIdentifiers = true
        case (.payloadFormatIndicator, .byte(let format)): payloadFormatIndicator = format
        case (.responseTopic, .view(let topic)) where topic.hasWildcard:
            throw .wildcardInResponseTopic  // [MQTT-3.3.2-14]
        default: break
        }
        if !id.travelsUnaltered { isForwardable = false }
    }

    /// `raw`, if all of it travels with the message unaltered: no topic alias, message expiry or subscription
    /// identifier is among it. Otherwise nil, and `appendForwardable(to:)` copies the part that does.
    package var forwardable: ByteView? { isForwardable ? raw : nil }

    /// Appends the properties that travel unaltered, in their order [MQTT-3.3.2-18].
    package func appendForwardable(to output: inout OutputBuffer) {
        if isForwardable {
            output.append(raw)
            return
        }
        for property in PropertyList(raw: raw) where property.id.travelsUnaltered {
            output.append(property: property.id, value: property.value)
        }
    }

    /// Every Subscription Identifier, in order.
    package func forEachSubscriptionIdentifier(_ body: (UInt32) -> Void) {
        for case (.subscriptionIdentifier, .variableByteInteger(let value)) in PropertyList(raw: raw) { body(value) }
    }
}

extension PropertyID {
    /// Whether the property of a PUBLISH belongs to the message; the others belong to one hop.
    fileprivate var travelsUnaltered: Bool {
        switch self {
        case .topicAlias, .messageExpiryInterval, .subscriptionIdentifier: false
        default: true
        }
    }
}
