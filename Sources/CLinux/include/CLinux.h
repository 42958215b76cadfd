// System calls and macros that Swift cannot see by itself.
#ifndef CLINUX_H
#define CLINUX_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/// The text of an errno; static, valid for any number.
const char *clinux_error(int code);
/// The text of an error of getaddrinfo; static, valid for any number.
const char *clinux_lookup_error(int code);
#endif
