#include "ledger.h"

#include <string.h>

struct ledger ledger;

void ledger_open(unsigned streams, unsigned receivers, bool paired, unsigned share, size_t payload_size) {
    ledger.streams = allocate(streams, sizeof *ledger.streams);
    for (unsigned index = 0; index < streams; index++) ledger.streams[index].index = index;
    ledger.arrivals = allocate((size_t)streams * receivers, sizeof *ledger.arrivals);
    ledger.stream_count = streams;
    ledger.receiver_count = receivers;
    ledger.paired = paired;
    ledger.fanout = paired ? 1 : receivers;
    ledger.share = share;
    ledger.payload_size = payload_size;
}

static int64_t outstanding(const struct stream *stream) {
    return (int64_t)(stream->sent * ledger.fanout - stream->received) - stream->forgiven;
}

bool ledger_has_room(const struct stream *stream) {
    return outstanding(stream) <= (int64_t)(ledger.share - 1) * ledger.fanout;
}

void ledger_write(struct stream *stream, uint8_t *out, uint16_t packet_id, uint64_t stamp_ns) {
    const struct message_template *message = &stream->message;
    memcpy(out, message->bytes, message->size);
    if (message->id_at > 0) put16(out + message->id_at, packet_id);
    uint32_t number = (uint32_t)stream->sent;
    uint8_t *payload = out + message->payload_at;
    memcpy(payload, &stamp_ns, 8);
    memcpy(payload + 8, &stream->index, 4);
    memcpy(payload + 12, &number, 4);
    if (outstanding(stream) <= 0) stream->last_progress_ns = stamp_ns;
    stream->sent += 1;
    ledger.sent += 1;
}

enum arrival { arrival_new, arrival_late, arrival_duplicate };

static enum arrival note_arrival(struct arrivals *arrivals, uint32_t number) {
    if (number >= arrivals->next) {
        uint32_t advance = number - arrivals->next + 1;
        arrivals->seen = advance < 64 ? arrivals->seen << advance | 1 : 1;
        arrivals->next = number + 1;
        return arrival_new;
    }
    uint32_t age = arrivals->next - 1 - number;
    if (age >= 64) fail("a message arrived more than 64 places out of order");
    if (arrivals->seen >> age & 1) return arrival_duplicate;
    arrivals->seen |= (uint64_t)1 << age;
    return arrival_late;
}

void ledger_received(unsigned receiver, const uint8_t *payload, size_t size, uint64_t now_ns) {
    uint64_t stamp;
    uint32_t index, number;
    if (size != ledger.payload_size) fail("a payload of %zu bytes arrived, not %zu", size, ledger.payload_size);
    memcpy(&stamp, payload, 8);
    memcpy(&index, payload + 8, 4);
    memcpy(&number, payload + 12, 4);
    if (index >= ledger.stream_count || (ledger.paired && index != receiver)) {
        fail("receiver %u got a message that is not for it", receiver);
    }
    struct stream *stream = &ledger.streams[index];
    if (number >= stream->sent) fail("a message arrived that was never sent");

    enum arrival arrival = note_arrival(&ledger.arrivals[(size_t)receiver * ledger.stream_count + index], number);
    if (arrival == arrival_duplicate) {
        ledger.duplicates += 1;
        return;
    }
    if (arrival == arrival_late) ledger.reordered += 1;
    stream->received += 1;
    stream->last_progress_ns = now_ns;
    ledger.received += 1;
    uint64_t latency = now_ns > stamp ? now_ns - stamp : 0;
    ledger.recent_latency_ns += latency / 64 - ledger.recent_latency_ns / 64;
    if (ledger.measuring) histogram_record(&ledger.latency, latency);
}

void ledger_forgive(uint64_t since_ns) {
    for (unsigned index = 0; index < ledger.stream_count; index++) {
        struct stream *stream = &ledger.streams[index];
        if (ledger_has_room(stream) || stream->last_progress_ns > since_ns) continue;
        stream->forgiven += outstanding(stream);
        ledger.stalls += 1;
    }
}

uint64_t ledger_expected(void) { return ledger.sent * ledger.fanout; }
