#include "loop.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { endpoints_max = 4096, events_max = 256 };

static int epoll_fd;
static struct endpoint *marked[endpoints_max];
static unsigned marked_count;
static unsigned open_count;

static void watch(struct endpoint *endpoint, int operation, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = endpoint};
    if (epoll_ctl(epoll_fd, operation, endpoint->fd, &event) < 0) fail("epoll_ctl: %s", strerror(errno));
}

void loop_open(void) {
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) fail("epoll_create1: %s", strerror(errno));
}

void loop_add(struct endpoint *endpoint) {
    if (++open_count > endpoints_max) fail("more than %d sockets", endpoints_max);
    watch(endpoint, EPOLL_CTL_ADD, EPOLLIN);
}

void loop_close(struct endpoint *endpoint) {
    close(endpoint->fd);
    endpoint->fd = -1;
    open_count -= 1;
}

void loop_mark(struct endpoint *endpoint) {
    if (endpoint->marked) return;
    endpoint->marked = true;
    marked[marked_count++] = endpoint;
}

void loop_read(uint64_t deadline_ns) {
    uint64_t now = clock_ns();
    uint64_t wait = deadline_ns > now ? deadline_ns - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(wait / second_ns), .tv_nsec = (long)(wait % second_ns)};
    struct epoll_event events[events_max];
    int count = epoll_pwait2(epoll_fd, events, events_max, &timeout, NULL);
    if (count < 0 && errno != EINTR) fail("epoll_pwait2: %s", strerror(errno));
    for (int index = 0; index < count; index++) {
        struct endpoint *endpoint = events[index].data.ptr;
        if (events[index].events & EPOLLOUT) loop_mark(endpoint);
        if (events[index].events & ~(uint32_t)EPOLLOUT) endpoint->readable(endpoint);
    }
}

void loop_flush(void) {
    for (unsigned index = 0; index < marked_count; index++) {
        struct endpoint *endpoint = marked[index];
        endpoint->marked = false;
        bool waits = !endpoint->flush(endpoint);
        if (waits != endpoint->armed) watch(endpoint, EPOLL_CTL_MOD, waits ? EPOLLIN | EPOLLOUT : EPOLLIN);
        endpoint->armed = waits;
    }
    marked_count = 0;
}
