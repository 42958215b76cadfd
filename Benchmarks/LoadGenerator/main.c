/// loadgen: publishers and receivers of MQTT and MQTT-SN in one thread, built to cost less than the server.

#include <stdio.h>
#include <sys/prctl.h>

#include "client.h"
#include "device.h"
#include "options.h"
#include "report.h"

static const uint64_t tick_ns = second_ns / 10;

/// Nothing moved for so long: at QoS 0 the rest is lost, at QoS 1 and 2 the run has failed. A gateway sends
/// a message to a device again after T_retry, 10 s by default (MQTT-SN 1.2, 7.2), so patience exceeds that.
static const uint64_t lossy_patience_ns = second_ns / 2, reliable_patience_ns = 25ull * second_ns;
static const uint64_t setup_patience_ns = 10ull * second_ns;

static const uint64_t shortest_pause_ns = 50 * 1000, longest_pause_ns = 4 * 1000 * 1000;

static const char shared_topic[] = "bench/p";

static struct options options;
static struct client *clients;
static unsigned client_count;
static struct device *devices;
static unsigned device_count;

// Setting up

static char *own_topic(unsigned index) {
    char *topic = allocate(24, 1);
    snprintf(topic, 24, "bench/d/%04u", index);
    return topic;
}

static void open_mqtt_receivers(void) {
    for (unsigned index = 0; index < options.receivers; index++) {
        char name[24];
        snprintf(name, sizeof name, "receiver-%u", index);
        // What devices publish at QoS -1 the broker handles at QoS 0.
        int qos = options.qos < 0 ? 0 : options.qos;
        client_open(
            &clients[client_count++], name, options.port, options.version, qos, options.window, shared_topic, index,
            options.lasting);
    }
}

static void open_mqtt_publishers(void) {
    unsigned streams_each = ledger.stream_count / options.publishers;
    for (unsigned index = 0; index < options.publishers; index++) {
        char name[24];
        snprintf(name, sizeof name, "publisher-%u", index);
        struct client *client = &clients[client_count++];
        client_open(client, name, options.port, options.version, options.qos, options.window, NULL, 0, false);
        for (unsigned stream = index * streams_each; stream < (index + 1) * streams_each; stream++) {
            client_own(client, &ledger.streams[stream], options.paired ? own_topic(stream) : shared_topic);
        }
    }
}

static void open_devices(void) {
    bool publish = options.direction == udp_to_tcp;
    unsigned count = publish ? options.publishers : options.receivers;
    devices = allocate(count, sizeof *devices);
    for (unsigned index = 0; index < count; index++) {
        char name[24];
        snprintf(name, sizeof name, "device-%u", index);
        struct device *device = &devices[device_count++];
        if (publish) {
            struct stream *stream = &ledger.streams[index];
            device_open_publisher(device, name, options.sn_port, options.qos, shared_topic, stream);
        } else {
            device_open_subscriber(device, name, options.sn_port, options.qos, own_topic(index), index);
        }
    }
}

static void open_all(void) {
    unsigned streams = options.paired ? options.receivers : options.publishers;
    unsigned share = options.outstanding / streams;
    ledger_open(streams, options.receivers, options.paired, share > 0 ? share : 1, options.payload_size);
    clients = allocate(options.publishers + options.receivers, sizeof *clients);
    if (options.direction != tcp_to_udp) open_mqtt_receivers();
    if (options.direction != udp_to_tcp) open_mqtt_publishers();
    if (options.direction != tcp_to_tcp) open_devices();
}

// Questions to everybody

static bool all_ready(void) {
    bool ready = true;
    for (unsigned index = 0; index < client_count; index++) ready = ready && clients[index].ready;
    for (unsigned index = 0; index < device_count; index++) ready = ready && devices[index].ready;
    return ready;
}

static bool all_settled(void) {
    bool settled = ledger.received == ledger_expected();
    for (unsigned index = 0; settled && index < client_count; index++) settled = client_is_settled(&clients[index]);
    for (unsigned index = 0; settled && index < device_count; index++) settled = device_is_settled(&devices[index]);
    return settled;
}

static bool anyone_behind(void) {
    bool behind = false;
    for (unsigned index = 0; index < client_count; index++) behind = behind || client_is_behind(&clients[index]);
    return behind;
}

// Publishing

/// True when the wanted number of messages is out; never in a run by time.
static bool all_sent(void) { return options.messages > 0 && ledger.sent >= options.messages; }

/// Publishes whatever shares and windows have room for. The stream that begins moves on with each turn, so
/// that none is always served last.
static void publish_saturating(uint64_t now_ns) {
    static unsigned first;
    unsigned count = ledger.stream_count;
    if (anyone_behind()) return;
    first = first + 1 < count ? first + 1 : 0;
    for (unsigned step = 0; step < count; step++) {
        unsigned index = first + step < count ? first + step : first + step - count;
        struct stream *stream = &ledger.streams[index];
        while (!all_sent() && ledger_has_room(stream) && stream->publish(stream, now_ns)) continue;
    }
}

/// When the next message is due at the wanted rate.
static uint64_t due_ns(uint64_t start_ns) {
    return start_ns + (uint64_t)((double)ledger.sent * ns_per_second / options.rate);
}

/// Publishes what is due, the streams in turn. A message that has to wait keeps the stamp of the time at
/// which it was due: a server that stalls does not hide its stall by slowing the generator down.
static void publish_paced(uint64_t start_ns, uint64_t now_ns) {
    for (uint64_t due; !all_sent() && !anyone_behind() && (due = due_ns(start_ns)) <= now_ns;) {
        struct stream *stream = &ledger.streams[ledger.sent % ledger.stream_count];
        if (!ledger_has_room(stream) || !stream->publish(stream, due)) return;
    }
}

// Phases

/// Work that is due ten times a second; true if it was.
static bool tick(uint64_t now_ns) {
    static uint64_t next_ns;
    if (now_ns < next_ns) return false;
    next_ns = now_ns + tick_ns;
    for (unsigned index = 0; index < device_count; index++) device_tick(&devices[index], now_ns);
    if (options.qos <= 0) ledger_forgive(now_ns - lossy_patience_ns);
    return true;
}

static void set_up(void) {
    uint64_t give_up_ns = clock_ns() + setup_patience_ns;
    loop_flush();
    while (!all_ready()) {
        uint64_t now = clock_ns();
        if (now > give_up_ns) fail("the server did not answer every CONNECT, SUBSCRIBE and REGISTER within 10 s");
        loop_read(now + tick_ns);
        tick(now);
        loop_flush();
    }
}

static void check_progress(uint64_t now_ns) {
    static uint64_t moved_ns, received;
    if (ledger.received != received || moved_ns == 0) {
        received = ledger.received;
        moved_ns = now_ns;
    }
    if (options.qos > 0 && options.rate == 0 && now_ns > moved_ns + reliable_patience_ns) {
        fail("nothing arrived for %d s at QoS %d: %llu of %llu received", (int)(reliable_patience_ns / second_ns),
             options.qos, (unsigned long long)received, (unsigned long long)ledger_expected());
    }
}

/// Lets input gather before the next turn, so that the generator does not wake up for each packet of a
/// server that writes them one by one. When saturated, the latency is the time that the server needs for all
/// that is outstanding: a quarter of it leaves the server three quarters to do. At QoS 1 and 2 that time holds
/// up to two and four pauses, one for each packet that waits for an answer, and where more is outstanding than
/// the server may have in flight to a subscriber (20 by default, as our own window), as many for each round of
/// its window. So a smaller part is taken: the pauses must not feed on themselves. A pause shorter than a
/// wake-up takes would only leave the server idle.
static void gather(void) {
    uint64_t pause_ns = ledger.recent_latency_ns >> (options.qos > 0 ? 2 + options.qos : 2);
    if (options.qos > 0 && options.outstanding > options.window) {
        pause_ns = pause_ns * options.window / options.outstanding;
    }
    if (pause_ns >= shortest_pause_ns) sleep_ns(pause_ns < longest_pause_ns ? pause_ns : longest_pause_ns);
}

/// Publishes until it is enough; returns the sample at the end of the warm-up.
static struct sample publish_all(void) {
    uint64_t start = clock_ns();
    uint64_t measure_ns = start + (uint64_t)(options.warmup_seconds * ns_per_second);
    uint64_t length_ns = options.messages > 0 ? UINT64_MAX - measure_ns : (uint64_t)(options.seconds * ns_per_second);
    struct sample from = {0};
    for (uint64_t now = start; !all_sent() && now < measure_ns + length_ns; now = clock_ns()) {
        if (!ledger.measuring && now >= measure_ns) {
            from = sample_take(options.server_pid);
            ledger.measuring = true;
        }
        if (options.rate > 0) {
            publish_paced(start, now);
        } else {
            publish_saturating(now);
        }
        if (tick(now)) check_progress(now);
        loop_flush();
        if (options.rate == 0) gather();
        uint64_t wake = now + tick_ns;
        if (options.rate > 0 && due_ns(start) < wake) wake = due_ns(start);
        loop_read(wake);
    }
    return ledger.measuring ? from : sample_take(options.server_pid);
}

/// Waits until everything has arrived and every handshake is complete, or nothing moves any more. Returns
/// the time of the last delivery.
static uint64_t drain(void) {
    uint64_t patience_ns = options.qos > 0 ? reliable_patience_ns : lossy_patience_ns;
    uint64_t moved_ns = clock_ns(), received = ledger.received;
    loop_flush();
    while (!all_settled()) {
        uint64_t now = clock_ns();
        if (ledger.received != received) moved_ns = now;
        received = ledger.received;
        if (now > moved_ns + patience_ns) break;
        for (unsigned index = 0; index < client_count; index++) client_ask(&clients[index]);
        loop_read(now + tick_ns);
        tick(now);
        loop_flush();
    }
    return moved_ns;
}

static void leave(void) {
    for (unsigned index = 0; index < client_count; index++) client_leave(&clients[index]);
    for (unsigned index = 0; index < device_count; index++) device_leave(&devices[index]);
    loop_flush();
}

/// QoS 1 promises that everything arrives, QoS 2 that it arrives once, and both that every handshake ends.
static bool promises_kept(void) {
    if (options.qos >= 1 && !all_settled()) return false;
    return options.qos < 2 || ledger.duplicates == 0;
}

int main(int count, char **words) {
    options = options_read(count, words);
    // The default slack of 50 us would show in every latency at a paced rate.
    prctl(PR_SET_TIMERSLACK, 1);
    loop_open();
    open_all();
    set_up();
    struct sample from = publish_all();
    // A run by time ends with the publishing, in full flow. A run by count ends with the last delivery.
    struct sample to = sample_take(options.server_pid);
    uint64_t last_ns = drain();
    if (options.messages > 0) {
        to = sample_take(options.server_pid);
        to.time_ns = last_ns;
    }
    leave();
    report_print(&options, &from, &to);
    if (!promises_kept()) fail("QoS %d did not keep its promise", options.qos);
    return 0;
}
