#include "process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint64_t thread_ns(int pid, const char *thread) {
    char path[320];
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, thread);
    FILE *file = fopen(path, "r");
    if (file == NULL) return 0;
    uint64_t on_cpu = 0;
    if (fscanf(file, "%" SCNu64, &on_cpu) != 1) on_cpu = 0;
    fclose(file);
    return on_cpu;
}

static uint64_t ticks_ns(int pid) {
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) fail("process %d is gone", pid);
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = 0;
    // The name in parentheses may contain anything; the fields that follow its end do not.
    const char *fields = strrchr(line, ')');
    uint64_t user = 0, system = 0;
    const char *format = ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64;
    if (fields == NULL || sscanf(fields, format, &user, &system) != 2) fail("cannot read %s", path);
    return (user + system) * (uint64_t)(second_ns / sysconf(_SC_CLK_TCK));
}

uint64_t process_cpu_ns(int pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *threads = opendir(path);
    if (threads == NULL) fail("process %d is gone", pid);
    uint64_t sum = 0;
    for (struct dirent *entry; (entry = readdir(threads)) != NULL;) {
        if (entry->d_name[0] != '.') sum += thread_ns(pid, entry->d_name);
    }
    closedir(threads);
    return sum > 0 ? sum : ticks_ns(pid);
}

uint64_t own_cpu_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * second_ns + (uint64_t)used.tv_nsec;
}

uint64_t process_peak_kib(int pid) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) return 0;
    uint64_t kib = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "VmHWM: %" SCNu64, &kib) == 1) break;
    }
    fclose(file);
    return kib;
}
