#pragma once

#include "options.h"

/// Clocks and counts at one moment.
struct sample {
    uint64_t time_ns;
    uint64_t delivered;
    uint64_t server_cpu_ns;
    uint64_t own_cpu_ns;
};

struct sample sample_take(int server_pid);

/// Prints what happened between two samples and the counts of the whole run.
void report_print(const struct options *options, const struct sample *from, const struct sample *to);
