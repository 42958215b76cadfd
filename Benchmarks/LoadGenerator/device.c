#include "device.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { predefined_topic_id = 1, accepted = 0 };

static const uint64_t repeat_after_ns = second_ns;

uint64_t device_repetitions;

// Output

/// The slot for one more datagram, or nil while the kernel is behind.
static uint8_t *next_slot(struct device *device) {
    return device->out_end < device_batch ? device->out[device->out_end] : NULL;
}

static void queue(struct device *device, size_t size) {
    device->out_sizes[device->out_end++] = (uint16_t)size;
    loop_mark(&device->endpoint);
}

/// Queues an answer. One that finds no room is lost, as on any network, and the gateway asks again.
static void queue_copy(struct device *device, const uint8_t *bytes, size_t size) {
    uint8_t *slot = next_slot(device);
    if (slot == NULL) return;
    memcpy(slot, bytes, size);
    queue(device, size);
}

/// Queues a message that the gateway must answer with the given type, and keeps it for repetition.
static void request(struct device *device, size_t size, enum sn_type answer, uint64_t now_ns) {
    device->kept_size = size;
    device->owed = (uint8_t)answer;
    device->sent_ns = now_ns;
    queue_copy(device, device->kept, size);
}

static bool flush(struct endpoint *endpoint) {
    struct device *device = (struct device *)endpoint;
    struct iovec parts[device_batch];
    struct mmsghdr messages[device_batch];
    unsigned count = device->out_end - device->out_start;
    memset(messages, 0, count * sizeof *messages);
    for (unsigned index = 0; index < count; index++) {
        unsigned slot = device->out_start + index;
        parts[index] = (struct iovec){.iov_base = device->out[slot], .iov_len = device->out_sizes[slot]};
        messages[index].msg_hdr = (struct msghdr){.msg_iov = &parts[index], .msg_iovlen = 1};
    }
    int sent = count == 0 ? 0 : sendmmsg(endpoint->fd, messages, count, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != ENOBUFS) fail("%s: sendmmsg: %s", device->name, strerror(errno));
    if (sent > 0) device->out_start += (unsigned)sent;
    if (device->out_start < device->out_end) return false;
    device->out_start = device->out_end = 0;
    return true;
}

// Publishing

static uint16_t next_msg_id(struct device *device) {
    device->msg_id = device->msg_id == 0xFFFF ? 1 : device->msg_id + 1;
    return device->msg_id;
}

static bool publish(struct stream *stream, uint64_t stamp_ns) {
    struct device *device = stream->owner;
    if (device->qos == 1) {
        if (device->owed != 0) return false;
        ledger_write(stream, device->kept, next_msg_id(device), stamp_ns);
        request(device, stream->message.size, sn_puback, stamp_ns);
        return true;
    }
    uint8_t *slot = next_slot(device);
    if (slot == NULL) return false;
    ledger_write(stream, slot, 0, stamp_ns);
    queue(device, stream->message.size);
    return true;
}

static void own(struct device *device, uint8_t topic_flags, uint16_t topic_id) {
    struct stream *stream = device->stream;
    stream->message = sn_message(sn_qos_flags(device->qos) | topic_flags, topic_id, ledger.payload_size);
    stream->owner = device;
    stream->publish = publish;
    device->ready = true;
}

// Receiving

static void connack_received(struct device *device, const struct sn_packet *packet, uint64_t now_ns) {
    if (packet->size != 1 || packet->body[0] != accepted) fail("%s: the gateway refused CONNECT", device->name);
    uint16_t msg_id = next_msg_id(device);
    if (device->stream != NULL) {
        request(device, sn_write_register(device->kept, msg_id, device->topic), sn_regack, now_ns);
    } else {
        request(device, sn_write_subscribe(device->kept, msg_id, device->topic, device->qos), sn_suback, now_ns);
    }
}

static void regack_received(struct device *device, const struct sn_packet *packet) {
    if (packet->size != 5 || packet->body[4] != accepted) fail("%s: the gateway refused REGISTER", device->name);
    own(device, 0, get16(packet->body));
}

static void suback_received(struct device *device, const struct sn_packet *packet) {
    if (packet->size != 6 || packet->body[5] != accepted) fail("%s: the gateway refused SUBSCRIBE", device->name);
    if (packet->body[0] != sn_qos_flags(device->qos)) fail("%s: QoS %d was not granted", device->name, device->qos);
    device->ready = true;
}

static void puback_received(struct device *device, const struct sn_packet *packet) {
    if (packet->size != 5 || packet->body[4] != accepted) fail("%s: the gateway refused PUBLISH", device->name);
    if (device->qos != 1) fail("%s: a PUBACK at QoS %d", device->name, device->qos);
}

/// Whether an answer belongs to the message that waits. The answer to a repetition comes twice.
static bool answers(const struct device *device, const struct sn_packet *packet) {
    if (device->owed != packet->type) return false;
    switch (packet->type) {
        case sn_connack: return true;
        case sn_suback: return packet->size >= 5 && get16(packet->body + 3) == device->msg_id;
        default: return packet->size >= 4 && get16(packet->body + 2) == device->msg_id;
    }
}

static void message_received(struct device *device, const struct sn_packet *packet, uint64_t now_ns) {
    if (packet->size < 5 || (packet->body[0] & 0x60) != sn_qos_flags(device->qos)) {
        fail("%s: a message that is malformed or not at QoS %d", device->name, device->qos);
    }
    if (device->stream != NULL) fail("%s: a message, but it subscribed to nothing", device->name);
    if (device->qos == 1) {
        uint8_t ack[16];
        uint16_t topic_id = get16(packet->body + 1), msg_id = get16(packet->body + 3);
        queue_copy(device, ack, sn_write_ack(ack, sn_puback, topic_id, msg_id));
    }
    ledger_received(device->receiver, packet->body + 5, packet->size - 5, now_ns);
}

static void request_received(struct device *device, const struct sn_packet *packet) {
    uint8_t answer[16];
    if (packet->type == sn_pingreq) {
        queue_copy(device, answer, sn_write_bare(answer, sn_pingresp));
    } else if (packet->size >= 4) {
        uint16_t topic_id = get16(packet->body), msg_id = get16(packet->body + 2);
        queue_copy(device, answer, sn_write_ack(answer, sn_regack, topic_id, msg_id));
    }
}

static void answer_received(struct device *device, const struct sn_packet *packet, uint64_t now_ns) {
    if (!answers(device, packet)) return;
    device->owed = 0;
    switch (packet->type) {
        case sn_connack: connack_received(device, packet, now_ns); break;
        case sn_regack: regack_received(device, packet); break;
        case sn_suback: suback_received(device, packet); break;
        default: puback_received(device, packet); break;
    }
}

static void received(struct device *device, const uint8_t *datagram, size_t size, uint64_t now_ns) {
    struct sn_packet packet;
    if (!sn_open(datagram, size, &packet)) fail("%s: a malformed datagram", device->name);
    switch (packet.type) {
        case sn_publish: message_received(device, &packet, now_ns); break;
        case sn_connack: case sn_regack: case sn_suback: case sn_puback:
            answer_received(device, &packet, now_ns);
            break;
        case sn_register: case sn_pingreq: request_received(device, &packet); break;
        default: fail("%s: unexpected message type 0x%02x", device->name, packet.type);
    }
}

/// Reads up to a batch of datagrams into buffers that all devices share.
static void readable(struct endpoint *endpoint) {
    static uint8_t buffers[device_batch][datagram_max];
    static struct iovec parts[device_batch];
    static struct mmsghdr messages[device_batch];
    struct device *device = (struct device *)endpoint;
    for (unsigned index = 0; index < device_batch; index++) {
        parts[index] = (struct iovec){.iov_base = buffers[index], .iov_len = datagram_max};
        messages[index].msg_hdr = (struct msghdr){.msg_iov = &parts[index], .msg_iovlen = 1};
    }
    int count = recvmmsg(endpoint->fd, messages, device_batch, 0, NULL);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count < 0) fail("%s: recvmmsg: %s", device->name, strerror(errno));
    uint64_t now = clock_ns();
    for (int index = 0; index < count; index++) received(device, buffers[index], messages[index].msg_len, now);
}

// Life

static void open_socket(struct device *device, const char *name, int port, int qos, const char *topic) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        fail("cannot use UDP port %d: %s", port, strerror(errno));
    }
    device->endpoint = (struct endpoint){.fd = fd, .readable = readable, .flush = flush};
    snprintf(device->name, sizeof device->name, "%s", name);
    device->qos = qos;
    device->topic = topic;
    loop_add(&device->endpoint);
}

static void say_hello(struct device *device) {
    request(device, sn_write_connect(device->kept, device->name), sn_connack, clock_ns());
}

void device_open_publisher(
    struct device *device, const char *name, int port, int qos, const char *topic, struct stream *stream) {
    open_socket(device, name, port, qos, topic);
    device->stream = stream;
    if (qos < 0) {
        own(device, sn_predefined_id, predefined_topic_id);
    } else {
        say_hello(device);
    }
}

void device_open_subscriber(
    struct device *device, const char *name, int port, int qos, const char *topic, unsigned receiver) {
    open_socket(device, name, port, qos, topic);
    device->receiver = receiver;
    say_hello(device);
}

void device_tick(struct device *device, uint64_t now_ns) {
    if (device->owed == 0 || now_ns < device->sent_ns + repeat_after_ns) return;
    // Only PUBLISH and SUBSCRIBE have a DUP flag (5.3.4); theirs is the first octet behind the type.
    if (device->owed == sn_puback || device->owed == sn_suback) {
        device->kept[device->kept[0] == 0x01 ? 4 : 2] |= sn_dup;
    }
    device->sent_ns = now_ns;
    device_repetitions += 1;
    queue_copy(device, device->kept, device->kept_size);
}

bool device_is_settled(const struct device *device) { return device->owed == 0; }

void device_leave(struct device *device) {
    if (device->qos < 0) return;
    uint8_t message[4];
    queue_copy(device, message, sn_write_bare(message, sn_disconnect));
}
