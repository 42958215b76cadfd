#define _GNU_SOURCE
#include "CFaults.h"
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

// The names by which libsqlite3 calls these.
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset);

#define FOLDERS 64

typedef struct {
    char folder[PATH_MAX];
    int skip, times, error;
} disk_plan;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static disk_plan plans[DISK_CALLS][FOLDERS];
static int active;

void faults_disk(const char *folder, disk_call call, int skip, int times, int error) {
    pthread_mutex_lock(&lock);
    disk_plan *place = NULL;
    for (int index = 0; index < FOLDERS; index++) {
        disk_plan *plan = &plans[call][index];
        if (plan->times > 0 && strcmp(plan->folder, folder) == 0) place = plan;
        if (!place && plan->times == 0) place = plan;
    }
    if (place) {
        active += (times > 0) - (place->times > 0);
        snprintf(place->folder, sizeof place->folder, "%s", folder);
        place->skip = skip;
        place->times = times;
        place->error = error;
    }
    pthread_mutex_unlock(&lock);
}

static bool concerns(const disk_plan *plan, const char *path) {
    size_t length = strlen(plan->folder);
    if (length > 0 && plan->folder[length - 1] == ' ')
        return strlen(path) == length - 1 && strncmp(path, plan->folder, length - 1) == 0;
    return strncmp(path, plan->folder, length) == 0;
}

static bool fails(disk_call call, int fd) {
    if (__atomic_load_n(&active, __ATOMIC_RELAXED) == 0) return false;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return false;
    path[length] = 0;
    bool failing = false;
    int error = 0;
    pthread_mutex_lock(&lock);
    for (int index = 0; index < FOLDERS && !failing; index++) {
        disk_plan *plan = &plans[call][index];
        if (plan->times == 0 || !concerns(plan, path)) continue;
        if (plan->skip > 0) {
            plan->skip--;
            break;
        }
        if (--plan->times == 0) active--;
        error = plan->error;
        failing = true;
    }
    pthread_mutex_unlock(&lock);
    if (failing) errno = error;
    return failing;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    return fails(DISK_WRITE, fd) ? -1 : REAL(pwrite64)(fd, bytes, count, offset);
}

int fdatasync(int fd) { return fails(DISK_SYNC, fd) ? -1 : REAL(fdatasync)(fd); }

int fsync(int fd) { return fails(DISK_SYNC, fd) ? -1 : REAL(fsync)(fd); }

unsigned faults_user(unsigned user) { return (unsigned)setfsuid(user); }
