#pragma once

#include "ledger.h"
#include "loop.h"

/// One MQTT client over TCP: a publisher, a receiver, or both.
struct client {
    struct endpoint endpoint;
    char name[24];
    int version;
    int qos;
    bool connected;
    /// Connected and, for a receiver, subscribed.
    bool ready;

    /// The receiver's number in the ledger and what it subscribes to; nil for a mere publisher.
    unsigned receiver;
    const char *filter;
    /// A bit for each packet identifier between PUBREC and PUBREL, and how many are set.
    uint64_t *unreleased;
    unsigned unreleased_count;
    /// Acknowledgements of messages that the server may not have read yet. It answers packets in order, so
    /// every PINGRESP says that it has read what preceded the PINGREQ: the first `ping_covers` of them.
    unsigned unconfirmed;
    unsigned ping_covers;

    /// Packet identifiers that are free, as a stack, and for each one the packet that the server owes.
    uint16_t *free_ids;
    unsigned free_count;
    unsigned window;
    uint8_t *owed;

    /// Output of this turn, from `out_start` to `out_end`.
    uint8_t *out;
    size_t out_start, out_end, out_size;
    /// The beginning of a packet whose rest has not been read yet.
    uint8_t *tail;
    size_t tail_length, tail_size;
};

/// Connects and sends CONNECT; with a filter, SUBSCRIBE follows. `window` is the number of QoS 1 and 2
/// messages that may be unacknowledged; a lasting session outlives the connection.
void client_open(
    struct client *client, const char *name, int port, int version, int qos, unsigned window, const char *filter,
    unsigned receiver, bool lasting);

/// Lets the client publish a stream to a topic.
void client_own(struct client *client, struct stream *stream, const char *topic);

/// True when the server is so far behind in reading the client's acknowledgements that publishers should
/// wait: a server that delivers faster than it reads them only hides work and memory.
bool client_is_behind(const struct client *client);

/// Asks the server to confirm what it has read, unless a question is open or there is nothing to ask.
void client_ask(struct client *client);

/// True when no handshake is open in either direction.
bool client_is_settled(const struct client *client);

/// Queues DISCONNECT.
void client_leave(struct client *client);
