#define _GNU_SOURCE
#include "addresses.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

// The largest datagram that UDP can carry needs 65,527 bytes. Each place has room for it in an arena that is mapped
// but not touched: ordinary datagrams make one page of each place resident (256 KiB in all), large ones the rest.
// The odd 64 bytes spread the places' first lines over the cache's sets.
#define DATAGRAM_BYTES 65536
#define STRIDE (DATAGRAM_BYTES + 64)
#define ARENA_BYTES ((size_t)STRIDE * CLINUX_DATAGRAMS)

typedef union {
    struct cmsghdr alignment;
    // An address of ours and a drop counter.
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(uint32_t))];
} control;

struct clinux_inbox {
    struct mmsghdr headers[CLINUX_DATAGRAMS];
    struct iovec vectors[CLINUX_DATAGRAMS];
    struct sockaddr_in6 names[CLINUX_DATAGRAMS];
    control controls[CLINUX_DATAGRAMS];
    char *arena;
    int used;
};

struct clinux_outbox {
    struct mmsghdr headers[CLINUX_DATAGRAMS];
    struct iovec vectors[CLINUX_DATAGRAMS];
    struct sockaddr_in6 names[CLINUX_DATAGRAMS];
    control controls[CLINUX_DATAGRAMS];
};

int clinux_report_local_address(int descriptor, bool ipv4) {
    return ipv4 ? clinux_set(descriptor, IPPROTO_IP, IP_PKTINFO, 1)
                : clinux_set(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

clinux_inbox *clinux_inbox_create(void) {
    clinux_inbox *inbox = calloc(1, sizeof *inbox);
    if (!inbox) return NULL;
    inbox->arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (inbox->arena == MAP_FAILED) {
        free(inbox);
        return NULL;
    }
    madvise(inbox->arena, ARENA_BYTES, MADV_NOHUGEPAGE);
    for (int index = 0; index < CLINUX_DATAGRAMS; index++) {
        inbox->vectors[index].iov_base = inbox->arena + (size_t)index * STRIDE;
        inbox->vectors[index].iov_len = DATAGRAM_BYTES;
        struct msghdr *header = &inbox->headers[index].msg_hdr;
        header->msg_iov = &inbox->vectors[index];
        header->msg_iovlen = 1;
        header->msg_name = &inbox->names[index];
        header->msg_control = &inbox->controls[index];
    }
    inbox->used = CLINUX_DATAGRAMS;
    return inbox;
}

void clinux_inbox_free(clinux_inbox *inbox) {
    munmap(inbox->arena, ARENA_BYTES);
    free(inbox);
}

int clinux_receive(int descriptor, clinux_inbox *inbox, int most) {
    for (int index = 0; index < inbox->used; index++) {
        inbox->headers[index].msg_hdr.msg_namelen = sizeof inbox->names[index];
        inbox->headers[index].msg_hdr.msg_controllen = sizeof inbox->controls[index];
    }
    if (most < 1) most = 1;
    if (most > CLINUX_DATAGRAMS) most = CLINUX_DATAGRAMS;
    int count = recvmmsg(descriptor, inbox->headers, (unsigned)most, 0, NULL);
    // A failed call may have begun with the first header.
    inbox->used = count > 0 ? count : 1;
    return count < 0 ? -errno : count;
}

static void read_control(clinux_datagram *datagram, const struct cmsghdr *message) {
    if (message->cmsg_level == IPPROTO_IP && message->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;
        memcpy(&info, CMSG_DATA(message), sizeof info);
        datagram->local = mapped_ipv4(info.ipi_spec_dst);
        datagram->interface = (uint32_t)info.ipi_ifindex;
    } else if (message->cmsg_level == IPPROTO_IPV6 && message->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo info;
        memcpy(&info, CMSG_DATA(message), sizeof info);
        // A group's address cannot be a source.
        if (!IN6_IS_ADDR_MULTICAST(&info.ipi6_addr)) datagram->local = from_ipv6(&info.ipi6_addr);
        datagram->interface = info.ipi6_ifindex;
    } else if (message->cmsg_level == SOL_SOCKET && message->cmsg_type == SO_RXQ_OVFL) {
        memcpy(&datagram->overflow, CMSG_DATA(message), sizeof datagram->overflow);
        datagram->has_overflow = true;
    }
}

clinux_datagram clinux_received(const clinux_inbox *inbox, int index) {
    struct msghdr *header = (struct msghdr *)&inbox->headers[index].msg_hdr;
    clinux_datagram datagram = {0};
    datagram.bytes = header->msg_iov->iov_base;
    datagram.count = inbox->headers[index].msg_len;
    datagram.remote = decode_address(header->msg_name);
    for (struct cmsghdr *message = CMSG_FIRSTHDR(header); message; message = CMSG_NXTHDR(header, message))
        read_control(&datagram, message);
    return datagram;
}

clinux_outbox *clinux_outbox_create(void) {
    clinux_outbox *outbox = calloc(1, sizeof *outbox);
    if (!outbox) return NULL;
    for (int index = 0; index < CLINUX_DATAGRAMS; index++) {
        struct msghdr *header = &outbox->headers[index].msg_hdr;
        header->msg_iov = &outbox->vectors[index];
        header->msg_iovlen = 1;
        header->msg_name = &outbox->names[index];
    }
    return outbox;
}

void clinux_outbox_free(clinux_outbox *outbox) { free(outbox); }

static size_t write_source(struct msghdr *header, clinux_address local) {
    struct cmsghdr *message = CMSG_FIRSTHDR(header);
    if (is_ipv4(local)) {
        struct in_pktinfo info = {.ipi_spec_dst.s_addr = htobe32((uint32_t)local.low)};
        message->cmsg_level = IPPROTO_IP;
        message->cmsg_type = IP_PKTINFO;
        message->cmsg_len = CMSG_LEN(sizeof info);
        memcpy(CMSG_DATA(message), &info, sizeof info);
        return CMSG_SPACE(sizeof info);
    }
    struct in6_pktinfo info = {.ipi6_addr = to_ipv6(local)};
    message->cmsg_level = IPPROTO_IPV6;
    message->cmsg_type = IPV6_PKTINFO;
    message->cmsg_len = CMSG_LEN(sizeof info);
    memcpy(CMSG_DATA(message), &info, sizeof info);
    return CMSG_SPACE(sizeof info);
}

void clinux_prepare(
    clinux_outbox *outbox, int index, const void *bytes, size_t count, clinux_address remote, clinux_address local) {
    struct msghdr *header = &outbox->headers[index].msg_hdr;
    outbox->vectors[index].iov_base = (void *)bytes;
    outbox->vectors[index].iov_len = count;
    header->msg_namelen = encode_address(remote, &outbox->names[index]);
    if (local.high == 0 && local.low == 0) {
        header->msg_control = NULL;
        header->msg_controllen = 0;
    } else {
        header->msg_control = &outbox->controls[index];
        header->msg_controllen = sizeof outbox->controls[index];
        header->msg_controllen = write_source(header, local);
    }
}

int clinux_send(int descriptor, clinux_outbox *outbox, int first, int count) {
    int sent = sendmmsg(descriptor, outbox->headers + first, (unsigned)count, MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}
