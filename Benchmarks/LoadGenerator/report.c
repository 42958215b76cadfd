#include "report.h"

#include <inttypes.h>
#include <stdio.h>

#include "device.h"
#include "process.h"

struct sample sample_take(int server_pid) {
    return (struct sample){
        .time_ns = clock_ns(),
        .delivered = ledger.received,
        .server_cpu_ns = server_pid > 0 ? process_cpu_ns(server_pid) : 0,
        .own_cpu_ns = own_cpu_ns(),
    };
}

struct result {
    double seconds, per_second;
    uint64_t delivered, lost, peak_kib;
    double server_us, server_busy, own_us, own_busy;
    double p50, p90, p99, p999, max;
};

static double latency_us(double share) { return (double)histogram_percentile(&ledger.latency, share) / 1000; }

static struct result result_of(const struct options *options, const struct sample *from, const struct sample *to) {
    double elapsed = (double)(to->time_ns - from->time_ns);
    uint64_t delivered = to->delivered - from->delivered;
    double server = (double)(to->server_cpu_ns - from->server_cpu_ns);
    double own = (double)(to->own_cpu_ns - from->own_cpu_ns);
    double divisor = delivered > 0 ? (double)delivered : 1;
    return (struct result){
        .seconds = elapsed / ns_per_second,
        .per_second = (double)delivered * ns_per_second / elapsed,
        .delivered = delivered,
        .lost = ledger_expected() - ledger.received,
        .peak_kib = options->server_pid > 0 ? process_peak_kib(options->server_pid) : 0,
        .server_us = server / 1000 / divisor,
        .server_busy = server / elapsed,
        .own_us = own / 1000 / divisor,
        .own_busy = own / elapsed,
        .p50 = latency_us(0.50),
        .p90 = latency_us(0.90),
        .p99 = latency_us(0.99),
        .p999 = latency_us(0.999),
        .max = (double)ledger.latency.max / 1000,
    };
}

static void print_json(const struct options *options, const struct result *result) {
    printf("{\"workload\":\"%s\",\"qos\":%d,\"version\":%d,\"payload\":%zu,\"rate\":%g,", options->workload,
           options->qos, options->version, options->payload_size, options->rate);
    printf("\"sent\":%" PRIu64 ",\"expected\":%" PRIu64 ",\"received\":%" PRIu64 ",\"lost\":%" PRIu64 ",",
           ledger.sent, ledger_expected(), ledger.received, result->lost);
    printf("\"duplicates\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"repetitions\":%" PRIu64 ",\"stalls\":%" PRIu64 ",",
           ledger.duplicates, ledger.reordered, device_repetitions, ledger.stalls);
    printf("\"seconds\":%.3f,\"delivered\":%" PRIu64 ",\"per_second\":%.1f,", result->seconds, result->delivered,
           result->per_second);
    printf("\"latency_us\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f},", result->p50,
           result->p90, result->p99, result->p999, result->max);
    printf("\"server\":{\"cpu_us\":%.3f,\"busy\":%.3f,\"peak_kib\":%" PRIu64 "},", result->server_us,
           result->server_busy, result->peak_kib);
    printf("\"generator\":{\"cpu_us\":%.3f,\"busy\":%.3f}}\n", result->own_us, result->own_busy);
}

static void print_text(const struct options *options, const struct result *result) {
    printf("%s, QoS %d, %zu bytes, %u to %u", options->workload, options->qos, options->payload_size,
           options->publishers, options->receivers);
    if (options->rate > 0) printf(", %g published a second", options->rate);
    printf("\n  messages   %.0f delivered a second over %.2f s\n", result->per_second, result->seconds);
    printf("  latency    p50 %.0f, p90 %.0f, p99 %.0f, p99.9 %.0f, max %.0f us\n", result->p50, result->p90,
           result->p99, result->p999, result->max);
    if (options->server_pid > 0) {
        printf("  server     %.2f us of CPU a message, %.0f %% of a core, peak %" PRIu64 " KiB\n", result->server_us,
               100 * result->server_busy, result->peak_kib);
    }
    printf("  generator  %.2f us of CPU a message, %.0f %% of a core\n", result->own_us, 100 * result->own_busy);
    printf("  whole run  %" PRIu64 " sent, %" PRIu64 " of %" PRIu64 " received, %" PRIu64 " lost, %" PRIu64
           " duplicates, %" PRIu64 " reordered, %" PRIu64 " repeated by devices, %" PRIu64 " stalls\n",
           ledger.sent, ledger.received, ledger_expected(), result->lost, ledger.duplicates, ledger.reordered,
           device_repetitions, ledger.stalls);
}

void report_print(const struct options *options, const struct sample *from, const struct sample *to) {
    struct result result = result_of(options, from, to);
    if (options->json) {
        print_json(options, &result);
    } else {
        print_text(options, &result);
    }
}
