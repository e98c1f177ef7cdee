/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * What the capture programs share: Istio's numbers (reference: protocol §6.1) and the maps. The maps are pinned, so that capture
 * goes on while the agent restarts; src/capture-maps.ts reads and writes them and must agree with every layout here.
 */
#ifndef MELTEMI_CAPTURE_H
#define MELTEMI_CAPTURE_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/types.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define AF_INET6 10

#define MARK_MASK 0xfff
#define ZTUNNEL_MARK 0x539
/* ztunnel's last hop towards the app; the app's socket inherits it, and a policy route brings its replies back. */
#define RETURN_MARK 0x111

#define OUTBOUND_PORT 15001
#define INBOUND_PLAINTEXT_PORT 15006
#define INBOUND_HBONE_PORT 15008
#define DNS_PROXY_PORT 15053
#define DNS_PORT 53

/* Addresses are 16 bytes in network order, IPv4 in its mapped form, so that dual-stack sockets need no second path. */
struct ip {
	__be32 word[4];
};

/* Where the client wanted to go. */
struct destination {
	struct ip ip;
	__be16 port;
	__u16 unused;
};

#define POD_CAPTURES_DNS 1
#define POD_CAPTURES_INBOUND 2
/* Un-enrolled: nothing more is captured, but ztunnel still connects what was. */
#define POD_LEAVING 4
#define POD_UID_BYTES 64

struct pod {
	__u32 flags;
	__u32 unused;
	char uid[POD_UID_BYTES];
};

/* Enrolled pods, by network namespace cookie. A kubelet runs 110 pods by default, 1000 at most in practice. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct pod);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} pods SEC(".maps");

#define ANY_NETNS 0

struct address_key {
	__u64 netns;
	struct ip ip;
};

/* Whose address it is: of the enrolled pod itself under its namespace, of any enrolled pod of the node under ANY_NETNS. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct address_key);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} addresses SEC(".maps");

/* As many ztunnels as may overlap in one pod during an upgrade, with room for crashes in between. */
#define LISTENER_SLOTS 4

struct listener_key {
	__u64 netns;
	__u32 slot;
	__u32 unused;
};

/* ztunnel's plaintext listeners. The kernel takes an entry out when its socket closes. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 16384);
	__type(key, struct listener_key);
	__type(value, __u64);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} listeners SEC(".maps");

/* Slot of the listener that came last, per enrolled namespace; the agent makes the entry. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} newest_listener SEC(".maps");

/* A connection as the pod with this namespace sees it. */
struct connection_key {
	__u64 netns;
	struct ip remote;
	struct ip local;
	__u16 remote_port;
	__u16 local_port;
	__u32 unused;
};

/*
 * Connections that go to the app past ztunnel: ztunnel's last hop, the pod's own to itself, and the node's (kubelet's probes). Written
 * when they are opened, removed when they end. sk_lookup sees neither marks nor, for a pod's own addresses, the loopback device.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct connection_key);
	__type(value, __u8);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} direct_connections SEC(".maps");

/*
 * The value of a context or socket field, loaded here. Left alone, the compiler joins branches that read different fields into one
 * load at a computed offset, which the verifier refuses.
 */
#define loaded(field)                                  \
	({                                              \
		__u32 _value = (field);                  \
		asm volatile("" : "+r"(_value));        \
		_value;                                 \
	})

static __always_inline struct ip ip_from_v4(__be32 address)
{
	struct ip ip = { .word = { 0, 0, bpf_htonl(0xffff), address } };
	return ip;
}

static __always_inline bool is_v4(const struct ip *ip)
{
	return ip->word[0] == 0 && ip->word[1] == 0 && ip->word[2] == bpf_htonl(0xffff);
}

/* Also the unspecified address: connecting to it means this host. */
static __always_inline bool is_loopback(const struct ip *ip)
{
	if (is_v4(ip))
		return ip->word[3] == 0 || (bpf_ntohl(ip->word[3]) >> 24) == 127;
	return ip->word[0] == 0 && ip->word[1] == 0 && ip->word[2] == 0 && bpf_ntohl(ip->word[3]) <= 1;
}

/* Makes a listener the newest one of its namespace. Nothing happens when the namespace is not enrolled. */
#define remember_listener(netns, update)                                          \
	({                                                                         \
		__u32 *_newest = bpf_map_lookup_elem(&newest_listener, &(netns));  \
		if (_newest) {                                                     \
			struct listener_key key = {                                \
				.netns = (netns),                                  \
				.slot = (*_newest + 1) % LISTENER_SLOTS,           \
			};                                                         \
			if ((update) == 0)                                         \
				*_newest = key.slot;                               \
		}                                                                  \
	})

#endif
