#pragma once

#include "ledger.h"
#include "loop.h"

enum { datagram_max = 2048, device_batch = 64 };

/// One MQTT-SN device with a UDP socket, and so an address, of its own.
///
/// It has at most one message unanswered, as the standard asks of clients (MQTT-SN 1.2, 6.13), and sends
/// that one again after a second.
struct device {
    struct endpoint endpoint;
    char name[24];
    int qos;
    const char *topic;
    /// The device publishes this stream; nil for one that subscribes.
    struct stream *stream;
    /// The number in the ledger of one that subscribes.
    unsigned receiver;
    bool ready;

    /// The type that answers the message that waits; 0 when none waits. The message is kept for repetition.
    uint8_t owed;
    uint16_t msg_id;
    uint64_t sent_ns;
    uint8_t kept[datagram_max];
    size_t kept_size;

    /// Datagrams of this turn, one behind the other.
    uint8_t out[device_batch][datagram_max];
    uint16_t out_sizes[device_batch];
    unsigned out_start, out_end;
};

/// How often devices repeated a message.
extern uint64_t device_repetitions;

/// A device that publishes the stream at QoS -1 (predefined topic id 1, never connected), 0 or 1
/// (connected, with the id that REGISTER gave it).
void device_open_publisher(
    struct device *device, const char *name, int port, int qos, const char *topic, struct stream *stream);

/// A device that subscribes to a topic.
void device_open_subscriber(
    struct device *device, const char *name, int port, int qos, const char *topic, unsigned receiver);

/// Repeats the unanswered message if it has waited for a second.
void device_tick(struct device *device, uint64_t now_ns);

bool device_is_settled(const struct device *device);

/// Queues DISCONNECT.
void device_leave(struct device *device);
