#pragma once

#include "basics.h"

/// Who publishes and who receives.
enum direction { tcp_to_tcp, udp_to_tcp, tcp_to_udp };

struct options {
    const char *workload;
    enum direction direction;
    unsigned publishers;
    unsigned receivers;
    /// Each receiver has a topic, and so a stream, of its own.
    bool paired;
    int qos;
    int version;
    /// Whether the sessions of receivers outlive their connections.
    bool lasting;
    int port;
    int sn_port;
    /// 0 when the server's CPU and memory are not asked for.
    int server_pid;
    size_t payload_size;
    /// QoS 1 and 2 messages that an MQTT publisher may have unacknowledged.
    unsigned window;
    /// Messages published but not yet received, over all streams.
    unsigned outstanding;
    /// Messages published per second over all streams; 0 publishes as fast as the server takes them.
    double rate;
    /// Publishing ends after this many messages if not 0, else after `seconds`.
    uint64_t messages;
    double seconds;
    double warmup_seconds;
    bool json;
};

/// Reads the command line; on wrong usage prints a line and exits with status 2.
struct options options_read(int count, char **words);
