#pragma once

#include "basics.h"

/// The few packets of MQTT and MQTT-SN that the generator speaks. It has its own encoding on purpose: a
/// mistake in the gateway's codec cannot hide behind the same mistake here.

/// A PUBLISH encoded once; each message is a copy with identifier and payload head patched.
struct message_template {
    uint8_t *bytes;
    size_t size;
    /// Where the packet identifier stands; 0 when the message has none.
    size_t id_at;
    size_t payload_at;
};

// MQTT 3.1.1 and 5.0; `version` is the protocol level, 4 or 5.

enum mqtt_type {
    mqtt_connack = 2,
    mqtt_publish = 3,
    mqtt_puback = 4,
    mqtt_pubrec = 5,
    mqtt_pubrel = 6,
    mqtt_pubcomp = 7,
    mqtt_suback = 9,
    mqtt_pingresp = 13,
    mqtt_disconnect = 14,
};

struct mqtt_packet {
    enum mqtt_type type;
    uint8_t flags;
    const uint8_t *body;
    size_t size;
};

/// Takes the next whole packet off the bytes from `*at` to `end`. False when there is none yet.
bool mqtt_next(const uint8_t **at, const uint8_t *end, struct mqtt_packet *packet);

/// Reads a variable byte integer; false when it is cut off or longer than four bytes.
bool mqtt_varint(const uint8_t **at, const uint8_t *end, size_t *value);

/// The Receive Maximum of an MQTT 5 CONNACK: how many QoS 1 and 2 messages the server takes at a time.
unsigned mqtt_receive_maximum(const struct mqtt_packet *connack);

// Each writes one packet and returns its size; names are short, so 128 bytes always suffice.
size_t mqtt_write_connect(uint8_t *out, int version, const char *client_id, bool lasting);
size_t mqtt_write_subscribe(uint8_t *out, int version, uint16_t id, const char *filter, int qos);
size_t mqtt_write_ack(uint8_t *out, enum mqtt_type type, uint16_t id);
size_t mqtt_write_pingreq(uint8_t *out);
size_t mqtt_write_disconnect(uint8_t *out);

struct message_template mqtt_message(int version, const char *topic, int qos, size_t payload_size);

// MQTT-SN 1.2.

enum sn_type {
    sn_connect = 0x04,
    sn_connack = 0x05,
    sn_register = 0x0A,
    sn_regack = 0x0B,
    sn_publish = 0x0C,
    sn_puback = 0x0D,
    sn_subscribe = 0x12,
    sn_suback = 0x13,
    sn_pingreq = 0x16,
    sn_pingresp = 0x17,
    sn_disconnect = 0x18,
};

enum sn_flags { sn_dup = 0x80, sn_clean_session = 0x04, sn_predefined_id = 0x01 };

struct sn_packet {
    enum sn_type type;
    const uint8_t *body;
    size_t size;
};

/// Opens a datagram; false when its length field does not fit it.
bool sn_open(const uint8_t *datagram, size_t size, struct sn_packet *packet);

/// The QoS bits of Flags for -1, 0, 1 and 2.
uint8_t sn_qos_flags(int qos);

size_t sn_write_connect(uint8_t *out, const char *client_id);
size_t sn_write_register(uint8_t *out, uint16_t msg_id, const char *topic);
size_t sn_write_subscribe(uint8_t *out, uint16_t msg_id, const char *topic, int qos);
/// REGACK or PUBACK with return code "accepted".
size_t sn_write_ack(uint8_t *out, enum sn_type type, uint16_t topic_id, uint16_t msg_id);
size_t sn_write_bare(uint8_t *out, enum sn_type type);

struct message_template sn_message(uint8_t flags, uint16_t topic_id, size_t payload_size);
