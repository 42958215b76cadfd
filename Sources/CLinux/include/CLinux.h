// System calls and macros that Swift cannot see by itself.
#ifndef CLINUX_H
#define CLINUX_H
#define _GNU_SOURCE
#include <sys/epoll.h>
#include <sys/socket.h>
#include <netinet/in.h>
#endif
