#pragma once

#include "histogram.h"
#include "wire.h"

/// What was sent and what arrived, to the last message.
///
/// A stream is a sequence of numbered messages from one publisher to one topic. Each payload starts with the
/// time at which it was due, its stream and its number in it, so every delivery can be told apart: new,
/// a duplicate, late, or somebody else's. Streams also hold back: a stream has a share of messages that are
/// published but not yet received, so that no queue of server or kernel overflows and saturation means that
/// the server is busy, not that it drops.

enum { payload_head = 16 };

struct stream {
    uint32_t index;
    struct message_template message;
    /// The client or device that publishes it.
    void *owner;
    /// Publishes one message stamped with the given time; false when the owner's window is full.
    bool (*publish)(struct stream *, uint64_t stamp_ns);

    uint64_t sent;
    /// Deliveries without duplicates: `fanout` for each message when all is well.
    uint64_t received;
    /// Deliveries no longer waited for, because nothing moved for a while (QoS 0 may lose).
    int64_t forgiven;
    uint64_t last_progress_ns;
};

/// How the deliveries of one stream at one receiver go: the next number expected and which of the 64
/// before it have arrived.
struct arrivals {
    uint32_t next;
    uint64_t seen;
};

struct ledger {
    struct stream *streams;
    unsigned stream_count;
    unsigned receiver_count;
    /// How many receivers get each message.
    unsigned fanout;
    /// Stream n belongs to receiver n alone; otherwise every receiver gets every stream.
    bool paired;
    /// Messages of one stream that may be published but not yet received everywhere.
    unsigned share;
    size_t payload_size;
    struct arrivals *arrivals;

    uint64_t sent;
    uint64_t received;
    uint64_t duplicates;
    /// Messages that arrived after a later one of their stream.
    uint64_t reordered;
    uint64_t stalls;

    /// Latencies go into the histogram only between warm-up and end.
    bool measuring;
    struct histogram latency;
    /// The latency of late, smoothed over some 64 deliveries.
    uint64_t recent_latency_ns;
};

extern struct ledger ledger;

void ledger_open(unsigned streams, unsigned receivers, bool paired, unsigned share, size_t payload_size);

/// True when the stream's share has room for one more message.
bool ledger_has_room(const struct stream *stream);

/// Copies the stream's template to `out`, stamps it and counts it as sent.
void ledger_write(struct stream *stream, uint8_t *out, uint16_t packet_id, uint64_t stamp_ns);

void ledger_received(unsigned receiver, const uint8_t *payload, size_t size, uint64_t now_ns);

/// Stops waiting for deliveries of streams that are out of room and have not moved since the given time.
void ledger_forgive(uint64_t since_ns);

uint64_t ledger_expected(void);
