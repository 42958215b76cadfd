// System calls and macros that Swift cannot see by itself. Functions that can fail answer -errno.
#ifndef CLINUX_H
#define CLINUX_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

struct sockaddr;

/// The text of an errno; static, valid for any number.
const char *clinux_error(int code);
/// The text of an error of getaddrinfo; static, valid for any number.
const char *clinux_lookup_error(int code);

/// An address in host order; IPv4 in its IPv4-mapped form. The Swift side calls it PeerAddress.
typedef struct {
    uint64_t high, low;
    uint32_t scope;
    uint16_t port;
} clinux_address;

/// What a socket address says.
clinux_address clinux_decode(const struct sockaddr *name);
/// A nonblocking socket of the address's family; the descriptor or -errno.
int clinux_socket(clinux_address address, bool datagrams);
int clinux_bind(int descriptor, clinux_address address);
/// The address that the socket is bound to.
int clinux_local_address(int descriptor, clinux_address *address);
/// The next connection, nonblocking; its descriptor or -errno.
int clinux_accept(int listener, clinux_address *peer);
int clinux_set(int descriptor, int level, int option, int value);

/// A nonblocking event counter; its descriptor or -errno.
int clinux_eventfd(void);
/// Blocks SIGINT, SIGTERM, SIGHUP and SIGUSR1 for this thread, ignores SIGPIPE; the descriptor that reports the
/// blocked signals, or -errno.
int clinux_signals(void);
/// The next signal that arrived, or -errno.
int clinux_next_signal(int descriptor);

/// Sends text to the Unix datagram socket at `path`; a path that begins with '@' is an abstract one (unix(7)). 0 or
/// -errno.
int clinux_tell(const char *path, const char *text);

/// Datagrams handled by one system call.
#define CLINUX_DATAGRAMS 64

/// Lets a UDP socket tell which address of ours each datagram asked.
int clinux_report_local_address(int descriptor, bool ipv4);

/// The interface with this name; 0 if there is none.
uint32_t clinux_interface_named(const char *name);
/// The interface that has this address; 0 if none has.
uint32_t clinux_interface_of(clinux_address address);
/// Lets a UDP socket hear the groups that it has joined itself and not those that other sockets have.
int clinux_hear_joined_only(int descriptor, bool ipv4);
/// Joins a multicast group on an interface; 0 lets the system choose one.
int clinux_join(int descriptor, clinux_address group, uint32_t interface);
/// Sends one datagram to a group by an interface, with a time to live (hop limit) of its own; 0 or -errno. `source` or
/// `interface` zero lets the system choose.
int clinux_send_to_group(
    int descriptor, const void *bytes, size_t count, clinux_address group, clinux_address source, uint32_t interface,
    int hops);

/// Room for received datagrams.
typedef struct clinux_inbox clinux_inbox;
/// NULL if there is no memory.
clinux_inbox *clinux_inbox_create(void);
void clinux_inbox_free(clinux_inbox *inbox);
/// Receives up to `most` datagrams, CLINUX_DATAGRAMS at most and one at least; their number or -errno.
int clinux_receive(int descriptor, clinux_inbox *inbox, int most);

/// One received datagram.
typedef struct {
    const void *bytes;
    uint32_t count;
    /// 0 if unknown.
    uint32_t interface;
    clinux_address remote;
    /// The address of ours that was asked; zero if unknown or a group.
    clinux_address local;
    /// Datagrams the socket has dropped for want of room so far, modulo 2^32, if has_overflow.
    uint32_t overflow;
    bool has_overflow;
} clinux_datagram;
clinux_datagram clinux_received(const clinux_inbox *inbox, int index);

/// Headers for datagrams to be sent.
typedef struct clinux_outbox clinux_outbox;
/// NULL if there is no memory.
clinux_outbox *clinux_outbox_create(void);
void clinux_outbox_free(clinux_outbox *outbox);
/// Fills place `index`; `local` zero lets the system choose the source address. The bytes must stay until sent.
void clinux_prepare(
    clinux_outbox *outbox, int index, const void *bytes, size_t count, clinux_address remote, clinux_address local);
/// Sends `count` prepared datagrams from place `first` on; how many the system took, or -errno for the first.
int clinux_send(int descriptor, clinux_outbox *outbox, int first, int count);
#endif
