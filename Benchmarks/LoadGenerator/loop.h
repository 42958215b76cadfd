#pragma once

#include "basics.h"

/// A socket with its two callbacks. The owner's struct starts with it.
struct endpoint {
    int fd;
    /// Input is waiting: read once, as much as fits.
    void (*readable)(struct endpoint *);
    /// Writes what waits; false when the kernel did not take all of it.
    bool (*flush)(struct endpoint *);
    bool marked;
    bool armed;
};

void loop_open(void);
void loop_add(struct endpoint *endpoint);
void loop_close(struct endpoint *endpoint);

/// Output waits in this endpoint: the next `loop_flush` writes it.
void loop_mark(struct endpoint *endpoint);

/// Waits for events until the deadline of the monotonic clock at most, and reads from every socket that
/// has input. Output that this causes only gathers.
void loop_read(uint64_t deadline_ns);

/// Writes the output of every marked endpoint: one call to the kernel for each, whatever number of packets.
void loop_flush(void);
