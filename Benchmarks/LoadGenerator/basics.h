#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Nanoseconds of the monotonic clock.
uint64_t clock_ns(void);

void sleep_ns(uint64_t duration_ns);

/// Ends the run: prints one line and exits with status 1. A benchmark that lost count has no result.
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/// Zeroed memory, or the end of the run.
void *allocate(size_t count, size_t size);

static inline void put16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static const uint64_t second_ns = 1000 * 1000 * 1000;
static const double ns_per_second = 1e9;
