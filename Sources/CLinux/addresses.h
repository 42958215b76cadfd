// Our addresses and the system's, one into the other.
#include "CLinux.h"
#include <endian.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static inline bool is_ipv4(clinux_address address) {
    return address.high == 0 && address.low >> 32 == 0xFFFF;
}

static inline clinux_address mapped_ipv4(struct in_addr ipv4) {
    clinux_address address = {0, 0x0000FFFF00000000u | be32toh(ipv4.s_addr), 0, 0};
    return address;
}

static inline clinux_address from_ipv6(const struct in6_addr *ipv6) {
    uint64_t halves[2];
    memcpy(halves, ipv6, sizeof halves);
    clinux_address address = {be64toh(halves[0]), be64toh(halves[1]), 0, 0};
    return address;
}

static inline struct in6_addr to_ipv6(clinux_address address) {
    uint64_t halves[2] = {htobe64(address.high), htobe64(address.low)};
    struct in6_addr ipv6;
    memcpy(&ipv6, halves, sizeof ipv6);
    return ipv6;
}

static inline clinux_address decode_address(const struct sockaddr *name) {
    if (name->sa_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, name, sizeof ipv4);
        clinux_address address = mapped_ipv4(ipv4.sin_addr);
        address.port = be16toh(ipv4.sin_port);
        return address;
    }
    struct sockaddr_in6 ipv6;
    memcpy(&ipv6, name, sizeof ipv6);
    clinux_address address = from_ipv6(&ipv6.sin6_addr);
    address.port = be16toh(ipv6.sin6_port);
    address.scope = ipv6.sin6_scope_id;
    return address;
}

/// Writes the address in its own family's form, for which a sockaddr_in6 has room, and answers the size used.
static inline socklen_t encode_address(clinux_address address, struct sockaddr_in6 *name) {
    if (is_ipv4(address)) {
        struct sockaddr_in ipv4 = {0};
        ipv4.sin_family = AF_INET;
        ipv4.sin_port = htobe16(address.port);
        ipv4.sin_addr.s_addr = htobe32((uint32_t)address.low);
        memcpy(name, &ipv4, sizeof ipv4);
        return sizeof ipv4;
    }
    struct sockaddr_in6 ipv6 = {0};
    ipv6.sin6_family = AF_INET6;
    ipv6.sin6_port = htobe16(address.port);
    ipv6.sin6_addr = to_ipv6(address);
    ipv6.sin6_scope_id = address.scope;
    *name = ipv6;
    return sizeof ipv6;
}
