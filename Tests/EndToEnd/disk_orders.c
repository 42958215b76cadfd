// Loaded into a gateway with LD_PRELOAD, together with Tests/CFaults/disk.c: its disk fails when a test says so.
//
// DISK_FOLDER names the folder whose files fail, DISK_ORDERS a file that the test writes: "write|sync SKIP TIMES ERRNO",
// as in `faults_disk`. It is gone once the order holds.
#define _GNU_SOURCE
#include "CFaults.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *obey(void *unused) {
    const char *folder = getenv("DISK_FOLDER"), *orders = getenv("DISK_ORDERS");
    for (; folder && orders; usleep(1000)) {
        FILE *file = fopen(orders, "re");
        if (!file) continue;
        char call[8];
        int skip, times, error;
        while (fscanf(file, "%7s %d %d %d", call, &skip, &times, &error) == 4)
            faults_disk(folder, strcmp(call, "sync") == 0 ? DISK_SYNC : DISK_WRITE, skip, times, error);
        fclose(file);
        unlink(orders);
    }
    return unused;
}

__attribute__((constructor)) static void start(void) {
    // The gateway's signals are for its own thread.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_t thread;
    if (pthread_create(&thread, NULL, obey, NULL) == 0) pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}
