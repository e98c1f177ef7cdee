/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * What the three parts of the outbound object share: what a client wanted, from its socket to ztunnel's accepted one.
 */
#ifndef MELTEMI_OUTBOUND_H
#define MELTEMI_OUTBOUND_H

#include "capture.h"

/* What a cgroup program returns. */
#define ALLOW 1
#define REFUSE 0

/* Set by the loader: the namespace the node's own processes (kubelet and its probes) connect from. */
const volatile __u64 node_netns = 0;

/* What the client's socket wanted, for as long as that socket lives. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct destination);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} wanted SEC(".maps");

/* The same on ztunnel's accepted socket, from its first question on. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct destination);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} accepted SEC(".maps");

/*
 * One end of a redirected connection and the loopback address that it goes by: a port alone is not enough, since each destination's
 * connections have all ports of the pod (loopback_towards).
 */
struct client_key {
	__u64 netns;
	struct ip ip;
	__u32 port;
	__be32 towards;
};

/* From the client's socket to the accepted one: between the handshake and ztunnel's question, so far fewer than this. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct client_key);
	__type(value, struct destination);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} handed_over SEC(".maps");

struct own_addresses {
	struct ip v4;
	struct ip v6;
};

/* The first address of each family of an enrolled pod, zeroes where it has none. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct own_addresses);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} own_address SEC(".maps");

static __always_inline bool is_ztunnel(const struct bpf_sock *sk)
{
	return (sk->mark & MARK_MASK) == ZTUNNEL_MARK;
}

#endif
