internal import Authentication
internal import Bytes
internal import Messaging

/// A `listener` section while the file is read: what was said so far, before the end of the file decides what it
/// means.
struct ListenerDraft {
    enum Transport: String {
        case mqtt, mqttsn, websockets
    }

    enum Family {
        case v4, v6
    }

    /// Where the section begins, or where the default listener is first spoken of.
    var location: FileLocation?
    var port: UInt16 = 1883
    /// The address as it is written; nil where the operator names none.
    var address: String?
    var transport = Transport.mqtt
    var family: Family?
    /// `listener_allow_anonymous`, which goes before `allow_anonymous`.
    var allowsAnonymous: Bool?
    /// `listener_auto_id_prefix` was given, which goes before `auto_id_prefix`.
    var hasOwnIDPrefix = false
    /// Whether anything was said that makes the default listener one that opens.
    var isUsed = false
    /// What was said under `per_listener_settings true`.
    var security = SecurityDraft()
    var mqtt = MQTTListenerSettings()
    var devices = SNListenerSettings()
    /// Where each predefined topic was given, in the order of the file.
    var predefinedTopicLines: [FileLocation] = []
    /// Where each of the multicast groups was given, in the order of the file.
    var multicastGroupLines: [FileLocation] = []
    /// The directives that only one transport has, with their places.
    var mqttOnly: [Statement] = []
    var devicesOnly: [Statement] = []
    /// What was said about TLS or DTLS.
    var secure = SecureDraft()
    var webSocket = WebSocketSettings()
    var webSocketsOnly: [Statement] = []

    /// A directive speaks of this listener, so that the default one opens too.
    mutating func noteUse(_ statement: Statement) {
        isUsed = true
        location = location ?? statement.location
    }
}

/// The settings that `per_listener_settings` makes a listener's own.
struct SecurityDraft {
    var allowsAnonymous: Bool?
    var allowsEmptyClientID: Bool?
    var autoIDPrefix: ByteString?
    /// Whether the operator named something that checks who comes, though this version cannot do it.
    var namesAuthentication = false
    /// The `psk_file`, if one was given.
    var keyFile: KeyFile?
    /// What stands in the `acl_file`, if one was given.
    var accessRules: AccessRules?
    /// Whether `password_file` was given.
    var namesPasswordFile = false
    /// What stands in it, if all of it could be read.
    var passwordUsers: PasswordUsers?
    /// Whether `scram_file` was given.
    var namesScramFile = false
    /// What stands in it, if all of it could be read.
    var scramUsers: ScramUsers?
}

extension SecurityDraft {
    /// Whether there is a file of users, of whichever kind.
    var namesUsers: Bool { namesPasswordFile || namesScramFile }
}
