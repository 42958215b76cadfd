package import Bytes

/// CONNECT, §5.4.4.
package struct SNConnect: Equatable {
    package var will: Bool
    package var cleanSession: Bool
    /// 0x01 is the only one assigned; another is for the gateway to refuse [D-39].
    package var protocolID: UInt8
    /// Keep-alive in seconds.
    package var duration: UInt16
    /// UTF-8 of any length; the gateway refuses an empty or too long one [D-40].
    package var clientID: ByteView

    package init(will: Bool, cleanSession: Bool, protocolID: UInt8 = 0x01, duration: UInt16, clientID: ByteView) {
        self.will = will
        self.cleanSession = cleanSession
        self.protocolID = protocolID
        self.duration = duration
        self.clientID = clientID
    }
}

extension SNConnect {
    /// Flags: "DUP, QoS, Retain, TopicIdType: not used". [SN-5.4.4]
    init(from body: inout SNBodyReader) throws(SNDecodeError) {
        let flags = try body.readFlags()
        will = flags.will
        cleanSession = flags.cleanSession
        protocolID = try body.readUInt8()
        duration = try body.readUInt16()
        clientID = try body.readClientID()
    }

    var bodyOctets: Int { 4 + clientID.count }

    func encodeBody(into output: inout OutputBuffer) {
        output.append(SNFlags(will: will, cleanSession: cleanSession).octet)
        output.append(protocolID)
        output.append(duration)
        output.append(clientID)
    }
}
