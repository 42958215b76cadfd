#define _GNU_SOURCE
#include "CFaults.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

typedef struct {
    int skip, times, error;
    unsigned limit, calls;
} plan;

static _Thread_local plan plans[FAULT_CALLS];

void faults_fail(fault_call call, int skip, int times, int error) {
    plans[call].skip = skip;
    plans[call].times = times;
    plans[call].error = error;
}

void faults_limit(fault_call call, unsigned count) { plans[call].limit = count; }

unsigned faults_calls(fault_call call) { return plans[call].calls; }

void faults_clear(void) { memset(plans, 0, sizeof plans); }

static bool fails(fault_call call) {
    plan *plan = &plans[call];
    plan->calls++;
    if (plan->times == 0) return false;
    if (plan->skip > 0) {
        plan->skip--;
        return false;
    }
    plan->times--;
    errno = plan->error;
    return true;
}

static size_t limited(fault_call call, size_t count) {
    unsigned limit = plans[call].limit;
    return limit && count > limit ? limit : count;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int accept4(int fd, struct sockaddr *restrict name, socklen_t *restrict size, int flags) {
    return fails(FAULT_ACCEPT4) ? -1 : REAL(accept4)(fd, name, size, flags);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
    return fails(FAULT_EPOLL_CTL) ? -1 : REAL(epoll_ctl)(epoll, operation, fd, event);
}

ssize_t recv(int fd, void *bytes, size_t count, int flags) {
    return fails(FAULT_RECV) ? -1 : REAL(recv)(fd, bytes, limited(FAULT_RECV, count), flags);
}

ssize_t send(int fd, const void *bytes, size_t count, int flags) {
    return fails(FAULT_SEND) ? -1 : REAL(send)(fd, bytes, limited(FAULT_SEND, count), flags);
}

int recvmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags, struct timespec *timeout) {
    if (fails(FAULT_RECVMMSG)) return -1;
    return REAL(recvmmsg)(fd, headers, (unsigned)limited(FAULT_RECVMMSG, count), flags, timeout);
}

int sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags) {
    if (fails(FAULT_SENDMMSG)) return -1;
    return REAL(sendmmsg)(fd, headers, (unsigned)limited(FAULT_SENDMMSG, count), flags);
}
