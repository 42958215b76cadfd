#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { read_size = 256 * 1024, small_packet = 1024, subscribe_id = 1, failure_code = 0x80 };

/// Acknowledgements after which the server is asked whether it has read them, and when publishers wait.
enum { ask_after = 100, behind_after = 300 };

// Output

/// Room for `size` more bytes of output; the caller then moves `out_end`.
static uint8_t *reserve(struct client *client, size_t size) {
    loop_mark(&client->endpoint);
    if (client->out_end + size > client->out_size) {
        memmove(client->out, client->out + client->out_start, client->out_end - client->out_start);
        client->out_end -= client->out_start;
        client->out_start = 0;
    }
    if (client->out_end + size > client->out_size) {
        client->out_size = 2 * client->out_size + size;
        client->out = realloc(client->out, client->out_size);
        if (client->out == NULL) fail("out of memory");
    }
    return client->out + client->out_end;
}

static void send_ack(struct client *client, enum mqtt_type type, uint16_t id) {
    client->out_end += mqtt_write_ack(reserve(client, small_packet), type, id);
}

static bool flush(struct endpoint *endpoint) {
    struct client *client = (struct client *)endpoint;
    while (client->out_start < client->out_end) {
        ssize_t count =
            send(endpoint->fd, client->out + client->out_start, client->out_end - client->out_start, MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) return false;
        if (count < 0) fail("%s: send: %s", client->name, strerror(errno));
        client->out_start += (size_t)count;
    }
    client->out_start = client->out_end = 0;
    return true;
}

// Publishing

static bool publish(struct stream *stream, uint64_t stamp_ns) {
    struct client *client = stream->owner;
    uint16_t id = 0;
    if (client->qos > 0) {
        if (client->free_count == 0) return false;
        id = client->free_ids[--client->free_count];
        client->owed[id] = client->qos == 1 ? mqtt_puback : mqtt_pubrec;
    }
    ledger_write(stream, reserve(client, stream->message.size), id, stamp_ns);
    client->out_end += stream->message.size;
    return true;
}

/// PUBACK, PUBREC or PUBCOMP for a message of ours.
static void acknowledged(struct client *client, const struct mqtt_packet *packet) {
    uint16_t id = packet->size < 2 ? 0 : get16(packet->body);
    if (id == 0 || id > client->window || client->owed[id] != packet->type) {
        fail("%s: packet %d for identifier %u, which does not wait for it", client->name, packet->type, id);
    }
    // The third byte of MQTT 5 is a reason code.
    if (packet->size > 2 && packet->body[2] >= failure_code) {
        fail("%s: the server refused a message with 0x%02x", client->name, packet->body[2]);
    }
    if (packet->type == mqtt_pubrec) {
        client->owed[id] = mqtt_pubcomp;
        send_ack(client, mqtt_pubrel, id);
        return;
    }
    client->owed[id] = 0;
    client->free_ids[client->free_count++] = id;
}

// Receiving

/// Sends PUBACK, PUBREC or PUBCOMP for a message of the server's.
static void confirm(struct client *client, enum mqtt_type type, uint16_t id) {
    send_ack(client, type, id);
    client->unconfirmed += 1;
    if (client->unconfirmed >= ask_after) client_ask(client);
}

static void ping_answered(struct client *client) {
    client->unconfirmed -= client->ping_covers;
    client->ping_covers = 0;
    if (client->unconfirmed >= ask_after) client_ask(client);
}

bool client_is_behind(const struct client *client) { return client->unconfirmed > behind_after; }

void client_ask(struct client *client) {
    if (client->ping_covers > 0 || client->unconfirmed == 0) return;
    client->ping_covers = client->unconfirmed;
    client->out_end += mqtt_write_pingreq(reserve(client, small_packet));
}

/// Notes a QoS 2 identifier; false when it was noted before, which makes the message a repetition.
static bool note_unreleased(struct client *client, uint16_t id) {
    uint64_t bit = (uint64_t)1 << id % 64, *word = &client->unreleased[id / 64];
    if (*word & bit) return false;
    *word |= bit;
    client->unreleased_count += 1;
    return true;
}

static void release(struct client *client, const struct mqtt_packet *packet) {
    uint16_t id = packet->size < 2 ? 0 : get16(packet->body);
    uint64_t bit = (uint64_t)1 << id % 64, *word = &client->unreleased[id / 64];
    if ((*word & bit) == 0) fail("%s: PUBREL for unknown identifier %u", client->name, id);
    *word &= ~bit;
    client->unreleased_count -= 1;
    confirm(client, mqtt_pubcomp, id);
}

static void message_received(struct client *client, const struct mqtt_packet *packet, uint64_t now_ns) {
    const uint8_t *at = packet->body, *end = at + packet->size;
    int qos = packet->flags >> 1 & 3;
    if (client->filter == NULL) fail("%s: a message, but it subscribed to nothing", client->name);
    if (qos != client->qos) fail("%s: a message at QoS %d, not %d", client->name, qos, client->qos);
    size_t head = packet->size < 2 ? 2 : 2u + get16(at) + (qos > 0 ? 2 : 0);
    if (packet->size < head) fail("%s: a malformed PUBLISH", client->name);
    at += head;
    uint16_t id = qos > 0 ? get16(at - 2) : 0;
    if (client->version == 5) {
        size_t properties;
        if (!mqtt_varint(&at, end, &properties) || properties > (size_t)(end - at)) {
            fail("%s: a malformed PUBLISH", client->name);
        }
        at += properties;
    }
    if (qos > 0) confirm(client, qos == 1 ? mqtt_puback : mqtt_pubrec, id);
    if (qos == 2 && !note_unreleased(client, id)) return;
    ledger_received(client->receiver, at, (size_t)(end - at), now_ns);
}

static void connack_received(struct client *client, const struct mqtt_packet *packet) {
    if (packet->size < 2 || packet->body[1] != 0) fail("%s: the server refused CONNECT", client->name);
    client->connected = true;
    if (client->version == 5) {
        unsigned maximum = mqtt_receive_maximum(packet);
        if (client->free_count > maximum) client->free_count = maximum;
    }
    if (client->filter == NULL) {
        client->ready = true;
        return;
    }
    uint8_t *out = reserve(client, small_packet);
    client->out_end += mqtt_write_subscribe(out, client->version, subscribe_id, client->filter, client->qos);
}

static void suback_received(struct client *client, const struct mqtt_packet *packet) {
    if (packet->size < 3 || packet->body[packet->size - 1] != client->qos) {
        fail("%s: the server did not grant QoS %d", client->name, client->qos);
    }
    client->ready = true;
}

static void received(struct client *client, const struct mqtt_packet *packet, uint64_t now_ns) {
    switch (packet->type) {
        case mqtt_publish: message_received(client, packet, now_ns); break;
        case mqtt_puback: case mqtt_pubrec: case mqtt_pubcomp: acknowledged(client, packet); break;
        case mqtt_pubrel: release(client, packet); break;
        case mqtt_connack: connack_received(client, packet); break;
        case mqtt_suback: suback_received(client, packet); break;
        case mqtt_pingresp: ping_answered(client); break;
        default: fail("%s: unexpected packet type %d", client->name, packet->type);
    }
}

/// Reads once into a buffer that all clients share, behind what was left of this client's last packet.
static void readable(struct endpoint *endpoint) {
    static uint8_t buffer[read_size + 128 * 1024];
    struct client *client = (struct client *)endpoint;
    memcpy(buffer, client->tail, client->tail_length);
    ssize_t count = recv(endpoint->fd, buffer + client->tail_length, read_size, 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count < 0) fail("%s: recv: %s", client->name, strerror(errno));
    if (count == 0) fail("%s: the server closed the connection", client->name);

    uint64_t now = clock_ns();
    const uint8_t *at = buffer, *end = buffer + client->tail_length + count;
    for (struct mqtt_packet packet; mqtt_next(&at, end, &packet);) received(client, &packet, now);
    client->tail_length = (size_t)(end - at);
    if (client->tail_length > client->tail_size) fail("%s: the server sent a packet too long", client->name);
    memcpy(client->tail, at, client->tail_length);
}

// Life

static int connect_to(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        fail("cannot connect to TCP port %d: %s", port, strerror(errno));
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) fail("fcntl: %s", strerror(errno));
    return fd;
}

void client_open(
    struct client *client, const char *name, int port, int version, int qos, unsigned window, const char *filter,
    unsigned receiver, bool lasting) {
    client->endpoint = (struct endpoint){.fd = connect_to(port), .readable = readable, .flush = flush};
    snprintf(client->name, sizeof client->name, "%s", name);
    client->version = version;
    client->qos = qos;
    client->filter = filter;
    client->receiver = receiver;
    client->unreleased = allocate(65536 / 64, sizeof(uint64_t));
    client->window = window;
    client->owed = allocate(window + 1, 1);
    client->free_ids = allocate(window, sizeof(uint16_t));
    for (unsigned id = window; id > 0; id--) client->free_ids[client->free_count++] = (uint16_t)id;
    client->tail_size = ledger.payload_size + small_packet;
    client->tail = allocate(client->tail_size, 1);
    loop_add(&client->endpoint);
    client->out_end += mqtt_write_connect(reserve(client, small_packet), version, client->name, lasting);
}

void client_own(struct client *client, struct stream *stream, const char *topic) {
    stream->message = mqtt_message(client->version, topic, client->qos, ledger.payload_size);
    stream->owner = client;
    stream->publish = publish;
}

bool client_is_settled(const struct client *client) {
    bool acknowledged = true;
    for (unsigned id = 1; id <= client->window; id++) acknowledged = acknowledged && client->owed[id] == 0;
    return acknowledged && client->unreleased_count == 0 && client->unconfirmed == 0;
}

void client_leave(struct client *client) {
    client->out_end += mqtt_write_disconnect(reserve(client, small_packet));
}
