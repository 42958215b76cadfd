#include "wire.h"

#include <string.h>

// Writing MQTT

static size_t put_varint(uint8_t *out, size_t value) {
    size_t length = 0;
    do {
        uint8_t digit = value % 128;
        value /= 128;
        out[length++] = value > 0 ? digit | 0x80 : digit;
    } while (value > 0);
    return length;
}

static size_t put_string(uint8_t *out, const char *text) {
    size_t length = strlen(text);
    put16(out, (uint16_t)length);
    memcpy(out + 2, text, length);
    return length + 2;
}

size_t mqtt_write_connect(uint8_t *out, int version, const char *client_id, bool lasting) {
    size_t at = 2;
    at += put_string(out + at, "MQTT");
    out[at++] = (uint8_t)version;
    out[at++] = lasting ? 0x00 : 0x02;  // Clean session or not, no will, no credentials.
    put16(out + at, 0);  // No keep-alive: a run never pauses for long.
    at += 2;
    if (version == 5) out[at++] = 0;
    at += put_string(out + at, client_id);
    out[0] = 0x10;
    out[1] = (uint8_t)(at - 2);
    return at;
}

size_t mqtt_write_subscribe(uint8_t *out, int version, uint16_t id, const char *filter, int qos) {
    size_t at = 2;
    put16(out + at, id);
    at += 2;
    if (version == 5) out[at++] = 0;
    at += put_string(out + at, filter);
    out[at++] = (uint8_t)qos;
    out[0] = 0x82;
    out[1] = (uint8_t)(at - 2);
    return at;
}

size_t mqtt_write_ack(uint8_t *out, enum mqtt_type type, uint16_t id) {
    out[0] = (uint8_t)(type << 4 | (type == mqtt_pubrel ? 0x02 : 0));
    out[1] = 2;
    put16(out + 2, id);
    return 4;
}

size_t mqtt_write_pingreq(uint8_t *out) {
    out[0] = 0xC0;
    out[1] = 0;
    return 2;
}

size_t mqtt_write_disconnect(uint8_t *out) {
    out[0] = 0xE0;
    out[1] = 0;
    return 2;
}

struct message_template mqtt_message(int version, const char *topic, int qos, size_t payload_size) {
    size_t variable = 2 + strlen(topic) + (qos > 0 ? 2 : 0) + (version == 5 ? 1 : 0);
    struct message_template message = {.bytes = allocate(1, 5 + variable + payload_size)};
    message.bytes[0] = (uint8_t)(0x30 | qos << 1);
    size_t at = 1 + put_varint(message.bytes + 1, variable + payload_size);
    at += put_string(message.bytes + at, topic);
    if (qos > 0) {
        message.id_at = at;
        at += 2;
    }
    if (version == 5) at += 1;  // No properties.
    message.payload_at = at;
    message.size = at + payload_size;
    return message;
}

// Reading MQTT

bool mqtt_varint(const uint8_t **at, const uint8_t *end, size_t *value) {
    size_t result = 0;
    for (unsigned shift = 0; shift < 28 && *at < end; shift += 7) {
        uint8_t digit = *(*at)++;
        result |= (size_t)(digit & 0x7F) << shift;
        if ((digit & 0x80) == 0) {
            *value = result;
            return true;
        }
    }
    return false;
}

bool mqtt_next(const uint8_t **at, const uint8_t *end, struct mqtt_packet *packet) {
    if (end - *at < 2) return false;
    const uint8_t *body = *at + 1;
    size_t size;
    if (!mqtt_varint(&body, end, &size)) {
        if (end - *at >= 5) fail("the server sent a remaining length of more than four bytes");
        return false;
    }
    if ((size_t)(end - body) < size) return false;
    packet->type = **at >> 4;
    packet->flags = **at & 0x0F;
    packet->body = body;
    packet->size = size;
    *at = body + size;
    return true;
}

/// The size of the value of a property that may stand in a CONNACK (MQTT 5.0, 3.2.2.3).
static size_t property_size(uint8_t property, const uint8_t *at, const uint8_t *end) {
    size_t left = (size_t)(end - at);
    switch (property) {
        case 0x24: case 0x25: case 0x28: case 0x29: case 0x2A: return 1;
        case 0x13: case 0x21: case 0x22: return 2;
        case 0x11: case 0x27: return 4;
        case 0x12: case 0x15: case 0x16: case 0x1A: case 0x1C: case 0x1F:
            return left < 2 ? left + 1 : 2u + get16(at);
        case 0x26: {
            size_t name = left < 2 ? left + 1 : 2u + get16(at);
            return left < name + 2 ? left + 1 : name + 2 + get16(at + name);
        }
        default: fail("the server sent property 0x%02x in CONNACK", property);
    }
}

unsigned mqtt_receive_maximum(const struct mqtt_packet *connack) {
    const uint8_t *at = connack->body + 2, *end = connack->body + connack->size;
    size_t length;
    if (connack->size < 3 || !mqtt_varint(&at, end, &length) || length > (size_t)(end - at)) {
        fail("the server sent a malformed CONNACK");
    }
    unsigned maximum = 65535;
    for (end = at + length; at < end;) {
        uint8_t property = *at++;
        size_t size = property_size(property, at, end);
        if (size > (size_t)(end - at)) fail("the server sent a malformed CONNACK");
        if (property == 0x21) maximum = get16(at);
        at += size;
    }
    return maximum;
}

// MQTT-SN

/// Writes length and type of a message with a body of `size` bytes (5.2): one octet of length, or three.
static size_t sn_head(uint8_t *out, enum sn_type type, size_t size) {
    if (size + 2 <= 255) {
        out[0] = (uint8_t)(size + 2);
        out[1] = (uint8_t)type;
        return 2;
    }
    out[0] = 0x01;
    put16(out + 1, (uint16_t)(size + 4));
    out[3] = (uint8_t)type;
    return 4;
}

uint8_t sn_qos_flags(int qos) { return (uint8_t)((qos & 3) << 5); }

size_t sn_write_connect(uint8_t *out, const char *client_id) {
    size_t name = strlen(client_id);
    size_t at = sn_head(out, sn_connect, 4 + name);
    out[at++] = sn_clean_session;
    out[at++] = 0x01;  // ProtocolId
    put16(out + at, 600);  // Duration, seconds: longer than any run.
    memcpy(out + at + 2, client_id, name);
    return at + 2 + name;
}

size_t sn_write_register(uint8_t *out, uint16_t msg_id, const char *topic) {
    size_t name = strlen(topic);
    size_t at = sn_head(out, sn_register, 4 + name);
    put16(out + at, 0);
    put16(out + at + 2, msg_id);
    memcpy(out + at + 4, topic, name);
    return at + 4 + name;
}

size_t sn_write_subscribe(uint8_t *out, uint16_t msg_id, const char *topic, int qos) {
    size_t name = strlen(topic);
    size_t at = sn_head(out, sn_subscribe, 3 + name);
    out[at] = sn_qos_flags(qos);
    put16(out + at + 1, msg_id);
    memcpy(out + at + 3, topic, name);
    return at + 3 + name;
}

size_t sn_write_ack(uint8_t *out, enum sn_type type, uint16_t topic_id, uint16_t msg_id) {
    size_t at = sn_head(out, type, 5);
    put16(out + at, topic_id);
    put16(out + at + 2, msg_id);
    out[at + 4] = 0;
    return at + 5;
}

size_t sn_write_bare(uint8_t *out, enum sn_type type) { return sn_head(out, type, 0); }

struct message_template sn_message(uint8_t flags, uint16_t topic_id, size_t payload_size) {
    struct message_template message = {.bytes = allocate(1, 9 + payload_size)};
    size_t at = sn_head(message.bytes, sn_publish, 5 + payload_size);
    message.bytes[at] = flags;
    put16(message.bytes + at + 1, topic_id);
    message.id_at = at + 3;
    message.payload_at = at + 5;
    message.size = at + 5 + payload_size;
    return message;
}

bool sn_open(const uint8_t *datagram, size_t size, struct sn_packet *packet) {
    if (size < 2) return false;
    bool long_form = datagram[0] == 0x01;
    size_t head = long_form ? 4 : 2;
    if (size < head || (long_form ? get16(datagram + 1) : datagram[0]) != size) return false;
    packet->type = datagram[head - 1];
    packet->body = datagram + head;
    packet->size = size - head;
    return true;
}
