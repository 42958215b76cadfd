#define _GNU_SOURCE
#include "addresses.h"
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>

#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

uint32_t clinux_interface_named(const char *name) { return if_nametoindex(name); }

uint32_t clinux_interface_of(clinux_address address) {
    struct ifaddrs *list;
    if (getifaddrs(&list) < 0) return 0;
    uint32_t index = 0;
    for (struct ifaddrs *entry = list; entry && !index; entry = entry->ifa_next) {
        if (!entry->ifa_addr) continue;
        if (entry->ifa_addr->sa_family != AF_INET && entry->ifa_addr->sa_family != AF_INET6) continue;
        clinux_address own = decode_address(entry->ifa_addr);
        if (own.high == address.high && own.low == address.low) index = if_nametoindex(entry->ifa_name);
    }
    freeifaddrs(list);
    return index;
}

int clinux_hear_joined_only(int descriptor, bool ipv4) {
    return ipv4 ? clinux_set(descriptor, IPPROTO_IP, IP_MULTICAST_ALL, 0)
                : clinux_set(descriptor, IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0);
}

int clinux_join(int descriptor, clinux_address group, uint32_t interface) {
    int result;
    if (is_ipv4(group)) {
        struct ip_mreqn request = {.imr_multiaddr.s_addr = htobe32((uint32_t)group.low), .imr_ifindex = (int)interface};
        result = setsockopt(descriptor, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request);
    } else {
        struct ipv6_mreq request = {.ipv6mr_multiaddr = to_ipv6(group), .ipv6mr_interface = interface};
        result = setsockopt(descriptor, IPPROTO_IPV6, IPV6_JOIN_GROUP, &request, sizeof request);
    }
    return result < 0 ? -errno : 0;
}

static struct cmsghdr *put(struct cmsghdr *message, int level, int type, const void *value, size_t size) {
    message->cmsg_level = level;
    message->cmsg_type = type;
    message->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(message), value, size);
    return (struct cmsghdr *)((char *)message + CMSG_SPACE(size));
}

int clinux_send_to_group(
    int descriptor, const void *bytes, size_t count, clinux_address group, clinux_address source, uint32_t interface,
    int hops) {
    struct sockaddr_in6 name;
    union {
        struct cmsghdr alignment;
        char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec vector = {(void *)bytes, count};
    struct msghdr header = {.msg_name = &name, .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control};
    header.msg_namelen = encode_address(group, &name);
    struct cmsghdr *next = &control.alignment;
    if (is_ipv4(group)) {
        struct in_pktinfo info = {.ipi_ifindex = (int)interface, .ipi_spec_dst.s_addr = htobe32((uint32_t)source.low)};
        next = put(next, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
        next = put(next, IPPROTO_IP, IP_TTL, &hops, sizeof hops);
    } else {
        struct in6_pktinfo info = {.ipi6_addr = to_ipv6(source), .ipi6_ifindex = interface};
        next = put(next, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
        next = put(next, IPPROTO_IPV6, IPV6_HOPLIMIT, &hops, sizeof hops);
    }
    header.msg_controllen = (size_t)((char *)next - (char *)&control);
    return sendmsg(descriptor, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}
