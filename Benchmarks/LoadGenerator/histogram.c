#include "histogram.h"

/// Values below 64 have buckets of their own; above, each power of two is cut into 64.
static unsigned bucket_of(uint64_t value) {
    if (value >> histogram_fraction_bits == 0) return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - histogram_fraction_bits;
    return (shift << histogram_fraction_bits) + (unsigned)(value >> shift);
}

static uint64_t upper_edge(unsigned bucket) {
    if (bucket >> histogram_fraction_bits == 0) return bucket;
    unsigned shift = (bucket >> histogram_fraction_bits) - 1;
    uint64_t lead = (bucket & ((1u << histogram_fraction_bits) - 1)) + (1u << histogram_fraction_bits);
    return ((lead + 1) << shift) - 1;
}

void histogram_record(struct histogram *histogram, uint64_t value) {
    histogram->counts[bucket_of(value)] += 1;
    histogram->total += 1;
    if (value > histogram->max) histogram->max = value;
}

uint64_t histogram_percentile(const struct histogram *histogram, double share) {
    if (histogram->total == 0) return 0;
    uint64_t wanted = (uint64_t)(share * (double)histogram->total);
    if (wanted >= histogram->total) wanted = histogram->total - 1;
    uint64_t passed = 0;
    for (unsigned bucket = 0; bucket < histogram_buckets; bucket++) {
        passed += histogram->counts[bucket];
        if (passed > wanted) {
            uint64_t edge = upper_edge(bucket);
            return edge < histogram->max ? edge : histogram->max;
        }
    }
    return histogram->max;
}
