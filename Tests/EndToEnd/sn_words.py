"""Messages of MQTT-SN in words, as flows have them (Fixtures/flows/README.md): what the gateway prints of a message, with
its data, and readable again. A codec of its own, made of one table, as in Tests/Flows."""

import re

# MsgType, fields in the order of the text, fields in the order of the wire. `=` gives the value of a field that is
# left out, `?` marks one that may be missing, which the wire shows by its length.
LAYOUTS = {
    "ADVERTISE": [(0x00, "gwID duration", "gwID duration")],
    "SEARCHGW": [(0x01, "radius=0", "radius")],
    "GWINFO": [(0x02, "gwID gwAdd?", "gwID gwAdd")],
    "CONNECT": [(0x04, "protocolID=1 duration=60s will cleanSession clientID", "flags protocolID duration clientID")],
    "CONNACK": [(0x05, "returnCode=accepted", "returnCode")],
    "WILLTOPICREQ": [(0x06, "", "")],
    "WILLTOPIC": [(0x07, "empty", ""), (0x07, "qos=0 retain topic", "flags topic")],
    "WILLMSGREQ": [(0x08, "", "")],
    "WILLMSG": [(0x09, "message", "message")],
    "REGISTER": [(0x0A, "topicID=0x0000 msgID topicName", "topicID msgID topicName")],
    "REGACK": [(0x0B, "topicID msgID returnCode=accepted", "topicID msgID returnCode")],
    "PUBLISH": [(0x0C, "qos=0 dup retain type=normal topicID msgID=0 data", "flags topicID msgID data")],
    "PUBACK": [(0x0D, "topicID msgID returnCode=accepted", "topicID msgID returnCode")],
    "PUBCOMP": [(0x0E, "msgID", "msgID")],
    "PUBREC": [(0x0F, "msgID", "msgID")],
    "PUBREL": [(0x10, "msgID", "msgID")],
    "SUBSCRIBE": [(0x12, "qos=0 dup msgID topicName", "flags msgID topicName"),
                  (0x12, "qos=0 dup msgID type topicID", "flags msgID topicID")],
    "SUBACK": [(0x13, "qos=0 topicID msgID returnCode=accepted", "flags topicID msgID returnCode")],
    "UNSUBSCRIBE": [(0x14, "msgID topicName", "flags msgID topicName"),
                    (0x14, "msgID type topicID", "flags msgID topicID")],
    "UNSUBACK": [(0x15, "msgID", "msgID")],
    "PINGREQ": [(0x16, "clientID?", "clientID")],
    "PINGRESP": [(0x17, "", "")],
    "DISCONNECT": [(0x18, "duration?", "duration")],
    "WILLTOPICUPD": [(0x1A, "empty", ""), (0x1A, "qos=0 retain topic", "flags topic")],
    "WILLTOPICRESP": [(0x1B, "returnCode=accepted", "returnCode")],
    "WILLMSGUPD": [(0x1C, "message", "message")],
    "WILLMSGRESP": [(0x1D, "returnCode=accepted", "returnCode")],
}
FLAGS = {"dup": 0x80, "retain": 0x10, "will": 0x08, "cleanSession": 0x04}
CHOICES = {"qos": (["0", "1", "2", "-1"], 5), "type": (["normal", "predefined", "short", "reserved"], 0)}
CODES = ["accepted", "congestion", "invalidTopicID", "notSupported"]
OCTETS = ("gwID", "radius", "protocolID")
WORD = re.compile(r"(?:'(?:[^'\\]|\\.)*'|[^ '])+")
ESCAPE = re.compile(rb"\\x([0-9a-f]{2})|\\(.)")


def split(text):
    """Words between spaces, of which there may be some between apostrophes."""
    return WORD.findall(text)


def unquoted(text):
    """The bytes of 'text' or 'text'*3."""
    body, _, count = text.rpartition("'")
    assert body.startswith("'"), f"not bytes: {text}"
    data = ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[2], body[1:].encode())
    return data * int(count[1:] or 1)


def quoted(data):
    return "'" + "".join(
        "\\\\" if byte == 0x5C else chr(byte) if 0x20 <= byte <= 0x7E else f"\\x{byte:02x}" for byte in data) + "'"


def notation(text):
    """The bytes of `10 0004 'MQTT' | 00*300`: FixtureNotation of the Swift tests, without its groups."""
    data = b""
    for token in re.findall(r"'[^']*'(?:\*\d+)?|[0-9a-fA-F]+(?:\*\d+)?", text):
        piece, _, count = token.partition("*") if not token.startswith("'") else token.rpartition("'")
        piece = piece[1:].encode() if token.startswith("'") else bytes.fromhex(piece)
        data += piece * int(count.lstrip("*") or 1)
    return data


def columns(text):
    """(name, usual value or None, may it be missing) of each field of a text."""
    for column in text.split():
        name, _, fallback = column.partition("=")
        bare = name.rstrip("?")
        yield bare, fallback or None, name.endswith("?") or bare in FLAGS or bare == "empty"


def parse(text):
    """(name, {field: value}) of a text, with the values of what it leaves out. Variables, as in `$id`, stay."""
    name, *words = split(text)
    given = dict(word.partition("=")[::2] for word in words)
    for kind, fields, _ in LAYOUTS[name]:
        known = list(columns(fields))
        if set(given) <= {column for column, _, _ in known}:
            values = {}
            for column, fallback, is_optional in known:
                if column in given:
                    values[column] = canonical(column, given[column])
                elif fallback is not None:
                    values[column] = fallback
                else:
                    assert is_optional, f"{name} needs {column}: {text}"
            return name, values
    raise AssertionError(f"not the fields of {name}: {text}")


def canonical(field, value):
    if value.startswith("$") or field in FLAGS or field in CHOICES or not value:
        return value
    return read_field(field, write_field(field, value), value.startswith("'"))[0]


def encode(name, values):
    """The message as it passes the wire."""
    kind, _, wire = next(
        layout for layout in LAYOUTS[name] if set(values) <= {column for column, _, _ in columns(layout[1])})
    body = b""
    for field in wire.split():
        if field == "flags":
            octet = sum(mask for flag, mask in FLAGS.items() if flag in values)
            for choice, (words, shift) in CHOICES.items():
                octet |= words.index(values[choice]) << shift if choice in values else 0
            body += bytes([octet])
        elif field in values:
            body += write_field(field, values[field])
    if len(body) + 2 <= 255:
        return bytes([len(body) + 2, kind]) + body
    return b"\1" + (len(body) + 4).to_bytes(2, "big") + bytes([kind]) + body


def decode(data):
    """(name, {field: value}) of a message; None if it is none."""
    start = 3 if data[:1] == b"\1" else 1
    length = int.from_bytes(data[start // 3:start], "big")
    if length != len(data) or len(data) <= start:
        return None
    for name, layouts in LAYOUTS.items():
        for kind, fields, wire in layouts:
            if kind == data[start] and (values := read(fields, wire.split(), data[start + 1:], kind)) is not None:
                return name, values
    return None


def read(fields, wire, body, kind):
    if fields == "empty":
        return {"empty": ""} if not body else None
    values = {}
    known = list(columns(fields))
    for field in wire:
        if field == "flags":
            if not body:
                return None
            values |= {flag: "" for flag, mask in FLAGS.items() if body[0] & mask}
            values |= {choice: words[body[0] >> shift & 3] for choice, (words, shift) in CHOICES.items()}
            is_name = values["type"] == "normal"
            if "topicName" in wire and not is_name or kind in (0x12, 0x14) and "topicID" in wire and is_name:
                return None
            body = body[1:]
        elif not body and any(name == field and is_optional for name, _, is_optional in known):
            continue
        else:
            found = read_field(field, body, field == "topicID" and values.get("type") == "short")
            if found is None:
                return None
            values[field], body = found
    return None if body else {name: values[name] for name, _, _ in known if name in values}


def write_field(field, value):
    if field in OCTETS:
        return bytes([int(value)])
    if field in ("msgID", "topicID") and not value.startswith("'"):
        return int(value, 0).to_bytes(2, "big")
    if field == "duration":
        return int(value.removesuffix("s")).to_bytes(2, "big")
    if field == "returnCode":
        return bytes([CODES.index(value) if value in CODES else int(value.removeprefix("reserved(").rstrip(")"))])
    return unquoted(value)


def read_field(field, data, is_short=False):
    """(value, what is left of the data), or None."""
    count = 1 if field in OCTETS or field == "returnCode" else 2 if field in ("msgID", "topicID", "duration") else None
    if count is None:
        return quoted(data), b""
    if len(data) < count:
        return None
    number, rest = int.from_bytes(data[:count], "big"), data[count:]
    if field == "topicID":
        return quoted(data[:2]) if is_short else f"0x{number:04x}", rest
    if field == "returnCode":
        return CODES[number] if number < len(CODES) else f"reserved({number})", rest
    return f"{number}s" if field == "duration" else str(number), rest


def text(data):
    """A message in words, or its bytes if it is none."""
    decoded = decode(data)
    if decoded is None:
        return "hex " + data.hex(" ")
    return " ".join([decoded[0], *(f"{name}={value}" if value else name for name, value in decoded[1].items())])
