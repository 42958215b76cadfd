/// floor: the least that a broker can do. It relays what the load generator sends, in one thread of epoll, with one
/// write for each connection and one sendmmsg a turn, and with the handshakes of QoS 1 and 2 and of MQTT-SN. It checks
/// nothing, keeps nothing, trusts everybody and has room for what the benchmarks need: what it costs is what the
/// machine costs.
///
///     floor TCP-PORT UDP-PORT

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { clients_max = 4096, topics_max = 4096, batch = 64, datagram_max = 2048, read_size = 256 * 1024 };

/// A subscriber: a connection, or a device by its port.
struct subscriber {
    bool is_device;
    uint8_t qos;
    uint16_t number;
};

struct topic {
    char name[64];
    size_t length;
    struct subscriber *subscribers;
    size_t count;
};

struct client {
    uint8_t *out, *part;
    size_t out_count, out_room, part_count, part_room;
    uint16_t last_id;
    bool is_dirty;
};

static struct topic topics[topics_max];
static unsigned topic_count;
static struct client clients[clients_max];
static int dirty[clients_max], dirty_count;
static uint16_t device_id[65536];

static int udp;
static uint8_t outgoing[batch][datagram_max];
static struct sockaddr_in outgoing_to[batch];
static struct iovec outgoing_parts[batch];
static struct mmsghdr outgoing_messages[batch];
static unsigned outgoing_count;

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static void put16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

// Topics

static unsigned topic_named(const uint8_t *name, size_t length) {
    static uint16_t slots[2 * topics_max];
    uint32_t hash = 2166136261u;
    for (size_t index = 0; index < length; index++) hash = (hash ^ name[index]) * 16777619u;
    for (unsigned slot = hash % (2 * topics_max);; slot = (slot + 1) % (2 * topics_max)) {
        if (slots[slot] == 0) {
            struct topic *topic = &topics[topic_count++];
            memcpy(topic->name, name, length);
            topic->length = length;
            slots[slot] = (uint16_t)topic_count;
        }
        struct topic *topic = &topics[slots[slot] - 1];
        if (topic->length == length && memcmp(topic->name, name, length) == 0) return slots[slot] - 1u;
    }
}

static void subscribe(struct topic *topic, struct subscriber subscriber) {
    topic->subscribers = realloc(topic->subscribers, (topic->count + 1) * sizeof subscriber);
    topic->subscribers[topic->count++] = subscriber;
}

/// Who comes or goes has no subscriptions.
static void forget(bool is_device, int number) {
    for (unsigned index = 0; index < topic_count; index++) {
        struct topic *topic = &topics[index];
        size_t kept = 0;
        for (size_t place = 0; place < topic->count; place++) {
            struct subscriber subscriber = topic->subscribers[place];
            if (subscriber.is_device != is_device || subscriber.number != number) {
                topic->subscribers[kept++] = subscriber;
            }
        }
        topic->count = kept;
    }
}

// Output

static uint8_t *reserve(int fd, size_t size) {
    struct client *client = &clients[fd];
    if (!client->is_dirty) {
        client->is_dirty = true;
        dirty[dirty_count++] = fd;
    }
    if (client->out_count + size > client->out_room) {
        client->out_room = 2 * client->out_room + size + 4096;
        client->out = realloc(client->out, client->out_room);
    }
    client->out_count += size;
    return client->out + client->out_count - size;
}

static void answer(int fd, uint8_t first, uint16_t id) {
    uint8_t *at = reserve(fd, 4);
    at[0] = first;
    at[1] = 2;
    put16(at + 2, id);
}

static void flush_clients(void) {
    for (int index = 0; index < dirty_count; index++) {
        struct client *client = &clients[dirty[index]];
        client->is_dirty = false;
        size_t sent = 0;
        while (sent < client->out_count) {
            ssize_t count = send(dirty[index], client->out + sent, client->out_count - sent, MSG_NOSIGNAL);
            // Whoever does not read in time makes all wait: nobody else is here.
            if (count > 0) sent += (size_t)count;
            else if (errno != EAGAIN) break;
        }
        client->out_count = 0;
    }
    dirty_count = 0;
}

static void flush_datagrams(void) {
    unsigned sent = 0;
    while (sent < outgoing_count) {
        int count = sendmmsg(udp, outgoing_messages + sent, outgoing_count - sent, 0);
        if (count > 0) sent += (unsigned)count;
    }
    outgoing_count = 0;
}

static uint8_t *datagram(uint16_t port, size_t size) {
    if (outgoing_count == batch) flush_datagrams();
    unsigned place = outgoing_count++;
    outgoing_to[place].sin_port = htons(port);
    outgoing_parts[place].iov_len = size;
    return outgoing[place];
}

// Relaying

static void relay(
    struct topic *topic, int qos, const uint8_t *payload, size_t size) {
    for (size_t index = 0; index < topic->count; index++) {
        struct subscriber subscriber = topic->subscribers[index];
        int level = qos < subscriber.qos ? qos : subscriber.qos;
        if (subscriber.is_device) {
            uint16_t id = level > 0 ? ++device_id[subscriber.number] : 0;
            uint8_t *at = datagram(subscriber.number, 7 + size);
            at[0] = (uint8_t)(7 + size);
            at[1] = 0x0C;
            at[2] = (uint8_t)(level << 5);
            put16(at + 3, (uint16_t)(topic - topics + 1));
            put16(at + 5, id);
            memcpy(at + 7, payload, size);
            continue;
        }
        size_t body = 2 + topic->length + (level > 0 ? 2 : 0) + size;
        uint8_t *at = reserve(subscriber.number, body + (body > 127 ? 3 : 2));
        *at++ = (uint8_t)(0x30 | level << 1);
        if (body > 127) *at++ = (uint8_t)(body & 127) | 128, body >>= 7;
        *at++ = (uint8_t)body;
        put16(at, (uint16_t)topic->length);
        memcpy(at + 2, topic->name, topic->length);
        at += 2 + topic->length;
        if (level > 0) {
            struct client *client = &clients[subscriber.number];
            client->last_id = client->last_id == 65535 ? 1 : client->last_id + 1;
            put16(at, client->last_id);
            at += 2;
        }
        memcpy(at, payload, size);
    }
}

// MQTT 3.1.1

static void packet(int fd, uint8_t first, const uint8_t *body, size_t size) {
    switch (first >> 4) {
        case 1: memcpy(reserve(fd, 4), "\x20\x02\x00\x00", 4); break;
        case 3: {
            int qos = first >> 1 & 3;
            size_t length = get16(body), head = 2 + length + (qos > 0 ? 2 : 0);
            relay(&topics[topic_named(body + 2, length)], qos, body + head, size - head);
            if (qos > 0) answer(fd, qos == 1 ? 0x40 : 0x50, get16(body + 2 + length));
            break;
        }
        case 5: answer(fd, 0x62, get16(body)); break;
        case 6: answer(fd, 0x70, get16(body)); break;
        case 8: {
            size_t length = get16(body + 2);
            uint8_t qos = body[4 + length];
            struct subscriber self = {false, qos, (uint16_t)fd};
            subscribe(&topics[topic_named(body + 4, length)], self);
            uint8_t *at = reserve(fd, 5);
            at[0] = 0x90;
            at[1] = 3;
            put16(at + 2, get16(body));
            at[4] = qos;
            break;
        }
        case 12: memcpy(reserve(fd, 2), "\xD0\x00", 2); break;
    }
}

/// Goes through whole packets; returns how many bytes are left.
static size_t packets(int fd, const uint8_t *at, size_t count) {
    while (count >= 2) {
        size_t size = 0, head = 1;
        unsigned shift = 0;
        do {
            if (head >= count) return count;
            size |= (size_t)(at[head] & 127) << shift;
            shift += 7;
        } while (at[head++] & 128);
        if (count < head + size) return count;
        packet(fd, at[0], at + head, size);
        at += head + size;
        count -= head + size;
    }
    return count;
}

static void readable(int fd) {
    static uint8_t room[read_size];
    struct client *client = &clients[fd];
    // What is left of the packet before stands in front.
    memcpy(room, client->part, client->part_count);
    ssize_t count = recv(fd, room + client->part_count, read_size - client->part_count, 0);
    if (count <= 0) {
        forget(false, fd);
        client->part_count = 0;
        close(fd);
        return;
    }
    size_t whole = client->part_count + (size_t)count;
    size_t left = packets(fd, room, whole);
    if (left > client->part_room) client->part = realloc(client->part, client->part_room = left);
    memcpy(client->part, room + whole - left, left);
    client->part_count = left;
}

// MQTT-SN 1.2

static void sn_answer(uint16_t port, uint8_t type, const uint8_t *body, size_t size) {
    uint8_t *at = datagram(port, 2 + size);
    at[0] = (uint8_t)(2 + size);
    at[1] = type;
    memcpy(at + 2, body, size);
}

static void message(uint16_t port, const uint8_t *at, size_t size) {
    uint8_t body[6] = {0};
    switch (at[1]) {
        case 0x04:
            forget(true, port);
            sn_answer(port, 0x05, body, 1);
            break;
        case 0x0A: {
            put16(body, (uint16_t)(topic_named(at + 6, size - 6) + 1));
            memcpy(body + 2, at + 4, 2);
            sn_answer(port, 0x0B, body, 5);
            break;
        }
        case 0x0C: {
            int qos = at[2] >> 5 & 3;
            if (qos == 1) {
                memcpy(body, at + 3, 4);
                sn_answer(port, 0x0D, body, 5);
            }
            relay(&topics[get16(at + 3) - 1], qos == 3 ? 0 : qos, at + 7, size - 7);
            break;
        }
        case 0x12: {
            unsigned topic = topic_named(at + 5, size - 5);
            struct subscriber self = {true, at[2] >> 5 & 3, port};
            subscribe(&topics[topic], self);
            body[0] = at[2] & 0x60;
            put16(body + 1, (uint16_t)(topic + 1));
            memcpy(body + 3, at + 3, 2);
            sn_answer(port, 0x13, body, 6);
            break;
        }
        case 0x16: sn_answer(port, 0x17, body, 0); break;
    }
}

static void datagrams_readable(void) {
    static uint8_t rooms[batch][datagram_max];
    static struct sockaddr_in from[batch];
    static struct iovec parts[batch];
    static struct mmsghdr messages[batch];
    for (unsigned index = 0; index < batch; index++) {
        parts[index] = (struct iovec){rooms[index], datagram_max};
        messages[index].msg_hdr = (struct msghdr){
            .msg_name = &from[index], .msg_namelen = sizeof from[index], .msg_iov = &parts[index], .msg_iovlen = 1};
    }
    int count = recvmmsg(udp, messages, batch, MSG_DONTWAIT, NULL);
    for (int index = 0; index < count; index++) {
        message(ntohs(from[index].sin_port), rooms[index], messages[index].msg_len);
    }
}

// The loop

static int opened(int type, int port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0), yes = 1, room = 4 << 20;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || (type == SOCK_STREAM && listen(fd, 1024) < 0)) {
        perror("floor");
        exit(1);
    }
    return fd;
}

int main(int count, char **arguments) {
    if (count != 3) return fprintf(stderr, "floor TCP-PORT UDP-PORT\n"), 2;
    int tcp = opened(SOCK_STREAM, atoi(arguments[1]));
    udp = opened(SOCK_DGRAM, atoi(arguments[2]));
    // Predefined topic 1.
    topic_named((const uint8_t *)"bench/p", 7);
    for (unsigned index = 0; index < batch; index++) {
        outgoing_to[index] = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        outgoing_parts[index].iov_base = outgoing[index];
        outgoing_messages[index].msg_hdr = (struct msghdr){
            .msg_name = &outgoing_to[index], .msg_namelen = sizeof outgoing_to[index],
            .msg_iov = &outgoing_parts[index], .msg_iovlen = 1};
    }
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = tcp}, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, tcp, &event);
    event.data.fd = udp;
    epoll_ctl(epoll, EPOLL_CTL_ADD, udp, &event);
    for (;;) {
        int ready = epoll_wait(epoll, events, 256, -1);
        for (int index = 0; index < ready; index++) {
            int fd = events[index].data.fd;
            if (fd == udp) {
                datagrams_readable();
            } else if (fd == tcp) {
                int client = accept4(tcp, NULL, NULL, SOCK_NONBLOCK), yes = 1;
                if (client < 0 || client >= clients_max) continue;
                setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                event.data.fd = client;
                epoll_ctl(epoll, EPOLL_CTL_ADD, client, &event);
            } else {
                readable(fd);
            }
        }
        flush_clients();
        if (outgoing_count > 0) flush_datagrams();
    }
}
