// Loaded into a gateway with LD_PRELOAD: its disk takes its time, SYNC_DELAY and WRITE_DELAY in microseconds, so that much
// waits for it and a kill finds transactions half written.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

// The name by which libsqlite3 calls it.
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset);

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void rest(const char *name) {
    const char *delay = getenv(name);
    if (delay) usleep((useconds_t)atoi(delay));
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    rest("WRITE_DELAY");
    return REAL(pwrite64)(fd, bytes, count, offset);
}

int fdatasync(int fd) {
    rest("SYNC_DELAY");
    return REAL(fdatasync)(fd);
}

int fsync(int fd) {
    rest("SYNC_DELAY");
    return REAL(fsync)(fd);
}
