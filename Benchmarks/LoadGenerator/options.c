#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: loadgen --workload NAME --port PORT [options]\n"
    "\n"
    "  --workload NAME     one-to-one, fan-out, fan-in (MQTT over TCP),\n"
    "                      uplink, downlink (MQTT-SN over UDP at one end)\n"
    "  --port PORT         the server's MQTT port on 127.0.0.1\n"
    "  --sn-port PORT      the gateway's MQTT-SN port\n"
    "  --qos N             0, 1, 2; with uplink -1, 0, 1; with downlink 0, 1\n"
    "  --v5                MQTT 5.0 instead of 3.1.1\n"
    "  --lasting           receivers over TCP connect with CleanSession 0 (3.1.1)\n"
    "  --publishers N      publishers of fan-in, devices of uplink\n"
    "  --receivers N       subscribers of fan-out, devices of downlink\n"
    "  --payload BYTES     16 to 65535, over UDP to 1400; default 64\n"
    "  --window N          unacknowledged messages of a publisher, QoS 1 and 2; default 20\n"
    "  --outstanding N     messages published but not yet received; default by workload\n"
    "  --rate N            messages published per second; default as many as the server takes\n"
    "  --seconds N         how long to measure; default 5\n"
    "  --messages N        publish this many messages instead\n"
    "  --warmup N          seconds before the measurement; default 1, with --messages 0\n"
    "  --server-pid PID    measure CPU and memory of this process\n"
    "  --json              print one line of JSON\n";

_Noreturn static void refuse(const char *text) {
    fprintf(stderr, "loadgen: %s (--help lists the options)\n", text);
    exit(2);
}

static double number(const char *text, double least, double most) {
    char *end;
    double value = strtod(text, &end);
    if (*text == 0 || *end != 0 || !(value >= least && value <= most)) {
        fprintf(stderr, "loadgen: '%s' is not a number from %g to %g\n", text, least, most);
        exit(2);
    }
    return value;
}

struct shape {
    const char *name;
    enum direction direction;
    bool paired;
    unsigned publishers, receivers;
    /// The default of `outstanding` at QoS 0 or -1. A UDP socket's receive buffer holds some 270 small
    /// datagrams by default (212,992 bytes with the kernel's overhead), so uplink stays below that.
    unsigned outstanding;
};

static const struct shape shapes[] = {
    {"one-to-one", tcp_to_tcp, false, 1, 1, 2000},
    {"fan-out", tcp_to_tcp, false, 1, 100, 100},
    {"fan-in", tcp_to_tcp, false, 50, 1, 2000},
    {"uplink", udp_to_tcp, false, 100, 1, 200},
    {"downlink", tcp_to_udp, true, 1, 100, 500},
};

static const struct shape *shape_named(const char *name) {
    for (size_t index = 0; index < sizeof shapes / sizeof *shapes; index++) {
        if (name != NULL && strcmp(shapes[index].name, name) == 0) return &shapes[index];
    }
    refuse("--workload must be one-to-one, fan-out, fan-in, uplink or downlink");
}

/// Fills in what follows from the workload and was not given.
static void complete(struct options *options) {
    const struct shape *shape = shape_named(options->workload);
    bool udp = shape->direction != tcp_to_tcp;
    options->direction = shape->direction;
    options->paired = shape->paired;
    if (shape->publishers == 1 || options->publishers == 0) options->publishers = shape->publishers;
    if (shape->receivers == 1 || options->receivers == 0) options->receivers = shape->receivers;
    if (options->outstanding == 0 && options->qos <= 0) options->outstanding = shape->outstanding;
    if (options->outstanding == 0) {
        // Half of the 1,000 messages that brokers queue for a subscriber by default.
        unsigned windows = options->window * options->publishers;
        options->outstanding = windows < 500 ? windows : 500;
    }
    if (options->port == 0) refuse("--port is missing");
    if (udp && options->sn_port == 0) refuse("--sn-port is missing");
    if (udp && options->payload_size > 1400) refuse("--payload over UDP is at most 1400");
    if (udp && options->qos > 1) refuse("--qos over UDP is -1, 0 or 1");
    if (options->qos < 0 && shape->direction != udp_to_tcp) refuse("--qos -1 is for uplink");
    if (options->warmup_seconds < 0) options->warmup_seconds = options->messages > 0 ? 0 : 1;
}

struct options options_read(int count, char **words) {
    enum { help, workload, port, sn_port, qos, v5, lasting, publishers, receivers, payload, window, outstanding, rate, seconds,
           messages, warmup, server_pid, json };
    static const struct option names[] = {
        {"help", 0, 0, help}, {"workload", 1, 0, workload}, {"port", 1, 0, port}, {"sn-port", 1, 0, sn_port},
        {"qos", 1, 0, qos}, {"v5", 0, 0, v5}, {"lasting", 0, 0, lasting}, {"publishers", 1, 0, publishers}, {"receivers", 1, 0, receivers},
        {"payload", 1, 0, payload}, {"window", 1, 0, window}, {"outstanding", 1, 0, outstanding},
        {"rate", 1, 0, rate}, {"seconds", 1, 0, seconds}, {"messages", 1, 0, messages}, {"warmup", 1, 0, warmup},
        {"server-pid", 1, 0, server_pid}, {"json", 0, 0, json}, {0, 0, 0, 0},
    };
    struct options options = {.version = 4, .payload_size = 64, .window = 20, .seconds = 5, .warmup_seconds = -1};
    for (int name; (name = getopt_long(count, words, "", names, NULL)) != -1;) {
        switch (name) {
            case help: fputs(usage, stdout); exit(0);
            case workload: options.workload = optarg; break;
            case port: options.port = (int)number(optarg, 1, 65535); break;
            case sn_port: options.sn_port = (int)number(optarg, 1, 65535); break;
            case qos: options.qos = (int)number(optarg, -1, 2); break;
            case v5: options.version = 5; break;
            case lasting: options.lasting = true; break;
            case publishers: options.publishers = (unsigned)number(optarg, 1, 2000); break;
            case receivers: options.receivers = (unsigned)number(optarg, 1, 2000); break;
            case payload: options.payload_size = (size_t)number(optarg, 16, 65535); break;
            case window: options.window = (unsigned)number(optarg, 1, 10000); break;
            case outstanding: options.outstanding = (unsigned)number(optarg, 1, 1e6); break;
            case rate: options.rate = number(optarg, 0.1, 1e8); break;
            case seconds: options.seconds = number(optarg, 0.1, 86400); break;
            case messages: options.messages = (uint64_t)number(optarg, 1, 4e9); break;
            case warmup: options.warmup_seconds = number(optarg, 0, 3600); break;
            case server_pid: options.server_pid = (int)number(optarg, 1, 1e9); break;
            case json: options.json = true; break;
            default: exit(2);
        }
    }
    if (optind < count) refuse("there are no arguments without a name");
    complete(&options);
    return options;
}
