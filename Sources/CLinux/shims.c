#define _GNU_SOURCE
#include "addresses.h"
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char *clinux_error(int code) {
    const char *text = strerrordesc_np(code);
    return text ? text : "unknown error";
}

const char *clinux_lookup_error(int code) { return gai_strerror(code); }

clinux_address clinux_decode(const struct sockaddr *name) { return decode_address(name); }

int clinux_socket(clinux_address address, bool datagrams) {
    int type = (datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int descriptor = socket(is_ipv4(address) ? AF_INET : AF_INET6, type, 0);
    return descriptor < 0 ? -errno : descriptor;
}

int clinux_bind(int descriptor, clinux_address address) {
    struct sockaddr_in6 name;
    socklen_t size = encode_address(address, &name);
    return bind(descriptor, (struct sockaddr *)&name, size) < 0 ? -errno : 0;
}

int clinux_local_address(int descriptor, clinux_address *address) {
    struct sockaddr_in6 name;
    socklen_t size = sizeof name;
    if (getsockname(descriptor, (struct sockaddr *)&name, &size) < 0) return -errno;
    *address = decode_address((struct sockaddr *)&name);
    return 0;
}

int clinux_accept(int listener, clinux_address *peer) {
    struct sockaddr_in6 name;
    socklen_t size = sizeof name;
    int descriptor = accept4(listener, (struct sockaddr *)&name, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) return -errno;
    *peer = decode_address((struct sockaddr *)&name);
    return descriptor;
}

int clinux_set(int descriptor, int level, int option, int value) {
    return setsockopt(descriptor, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

int clinux_eventfd(void) {
    int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

int clinux_signals(void) {
    sigset_t watched;
    sigemptyset(&watched);
    sigaddset(&watched, SIGINT);
    sigaddset(&watched, SIGTERM);
    sigaddset(&watched, SIGHUP);
    sigaddset(&watched, SIGUSR1);
    int error = pthread_sigmask(SIG_BLOCK, &watched, NULL);
    if (error) return -error;
    signal(SIGPIPE, SIG_IGN);
    int descriptor = signalfd(-1, &watched, SFD_NONBLOCK | SFD_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

int clinux_next_signal(int descriptor) {
    struct signalfd_siginfo info;
    ssize_t count = read(descriptor, &info, sizeof info);
    return count < 0 ? -errno : (int)info.ssi_signo;
}

int clinux_tell(const char *path, const char *text) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof name.sun_path) return -EINVAL;
    memcpy(name.sun_path, path, length);
    if (path[0] == '@') name.sun_path[0] = 0;
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return -errno;
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + length;
    ssize_t count = sendto(descriptor, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&name, size);
    int result = count < 0 ? -errno : 0;
    close(descriptor);
    return result;
}
