"""The packets of MQTT 3.1.1, 5.0 and MQTT-SN 1.2 that the clients of the crash harness say and hear: few, and quick."""

V311, V5 = 4, 5

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK = range(1, 10)
UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 11, 12, 13, 14
NAMES = {PUBACK: "PUBACK", PUBREC: "PUBREC", PUBREL: "PUBREL", PUBCOMP: "PUBCOMP"}

# What the properties of CONNACK take, by identifier; the others are strings.
FIXED = {0x11: 4, 0x13: 2, 0x21: 2, 0x22: 2, 0x24: 1, 0x25: 1, 0x27: 4, 0x28: 1, 0x29: 1, 0x2A: 1}
RECEIVE_MAXIMUM, USER_PROPERTY = 0x21, 0x26


def number(value, size=2):
    return value.to_bytes(size, "big")


def text(value):
    value = value.encode()
    return number(len(value)) + value


def frame(first_byte, body):
    length, rest = b"", len(body)
    while True:
        rest, digit = rest >> 7, rest & 0x7F
        length += bytes([digit | 0x80 if rest else digit])
        if not rest:
            return bytes([first_byte]) + length + body


def variable(data, start):
    """A variable byte integer and where it ends; None where it does not end yet."""
    value = shift = 0
    for index in range(start, min(start + 4, len(data))):
        value |= (data[index] & 0x7F) << shift
        shift += 7
        if data[index] < 0x80:
            return value, index + 1
    return None


def connect(version, client_id, clean=False, receive_maximum=None):
    """CONNECT of a session that stays for a day, or of a clean one."""
    properties = b""
    if version == V5:
        properties = b"" if clean else b"\x11" + number(86_400, 4)
        properties += b"\x21" + number(receive_maximum) if receive_maximum else b""
        properties = number(len(properties), 1) + properties
    return frame(0x10, text("MQTT") + bytes([version, 2 if clean else 0]) + number(300) + properties + text(client_id))


def publish(version, topic, payload, qos, identifier, retain=False):
    properties = b"\0" if version == V5 else b""
    middle = number(identifier) if qos else b""
    return frame(0x30 | qos << 1 | retain, text(topic) + middle + properties + payload)


def again(packet):
    """A PUBLISH as it is sent again: with DUP."""
    return bytes([packet[0] | 8]) + packet[1:]


def acknowledge(kind, identifier):
    return bytes([kind << 4 | (2 if kind == PUBREL else 0), 2]) + number(identifier)


def subscribe(version, identifier, topic_filter, qos):
    properties = b"\0" if version == V5 else b""
    return frame(0x82, number(identifier) + properties + text(topic_filter) + bytes([qos]))


def unsubscribe(version, identifier, topic_filter):
    properties = b"\0" if version == V5 else b""
    return frame(0xA2, number(identifier) + properties + text(topic_filter))


PING = b"\xc0\0"
GOODBYE = b"\xe0\0"


def split(buffer):
    """The packets that a buffer holds, each as first byte and body; what is left of it stays in it."""
    packets, start = [], 0
    while True:
        length = variable(buffer, start + 1)
        if length is None or len(buffer) < length[1] + length[0]:
            break
        packets.append((buffer[start], bytes(buffer[length[1]:length[1] + length[0]])))
        start = length[1] + length[0]
    del buffer[:start]
    return packets


def read_publish(version, first_byte, body):
    """(topic, identifier or None, payload)"""
    end = 2 + int.from_bytes(body[:2], "big")
    topic, identifier = body[2:end].decode(), None
    if first_byte & 6:
        identifier, end = int.from_bytes(body[end:end + 2], "big"), end + 2
    if version == V5:
        length, end = variable(body, end)
        end += length
    return topic, identifier, body[end:]


def receive_maximum(version, body):
    """What CONNACK says of the messages that may be under way to the server."""
    if version != V5 or len(body) < 3:
        return 65_535
    length, place = variable(body, 2)
    end = place + length
    while place < end:
        identifier, place = body[place], place + 1
        if identifier == RECEIVE_MAXIMUM:
            return int.from_bytes(body[place:place + 2], "big")
        if identifier in FIXED:
            place += FIXED[identifier]
        else:
            for _ in range(2 if identifier == USER_PROPERTY else 1):
                place += 2 + int.from_bytes(body[place:place + 2], "big")
    return 65_535


class SN:
    """MQTT-SN 1.2 §5.4"""

    CONNECT, CONNACK, REGISTER, REGACK, PUBLISH, PUBACK, PUBCOMP, PUBREC, PUBREL = 4, 5, 10, 11, 12, 13, 14, 15, 16
    SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = 18, 19, 22, 23, 24
    NAMES = {CONNACK: "CONNACK", REGISTER: "REGISTER", REGACK: "REGACK", PUBLISH: "PUBLISH", PUBACK: "PUBACK",
             PUBCOMP: "PUBCOMP", PUBREC: "PUBREC", PUBREL: "PUBREL", SUBACK: "SUBACK", PINGRESP: "PINGRESP",
             DISCONNECT: "DISCONNECT", CONNECT: "CONNECT", SUBSCRIBE: "SUBSCRIBE", PINGREQ: "PINGREQ"}
    DUP = 0x80
    ACCEPTED, INVALID_TOPIC_ID = 0, 2

    @staticmethod
    def message(kind, body=b""):
        length = len(body) + 2
        if length <= 255:
            return bytes([length, kind]) + body
        return b"\1" + number(length + 2) + bytes([kind]) + body

    @staticmethod
    def read(datagram):
        """(MsgType, body)"""
        start = 3 if datagram[:1] == b"\1" else 1
        return datagram[start], datagram[start + 1:]

    @staticmethod
    def wrap(node, message):
        """Encapsulation by a forwarder. §5.5"""
        return bytes([3 + len(node), 0xFE, 0]) + node + message

    @staticmethod
    def unwrap(datagram):
        """(Wireless Node Id, message)"""
        return datagram[3:datagram[0]], datagram[datagram[0]:]
