// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Inbound capture, attached to one pod's network namespace: new connections to any port go to ztunnel's plaintext listener, with
 * the local address left as it is. No address translation, no connection tracking; established connections never come here.
 * Loaded once per pod, because a program of this kind cannot ask which namespace it runs in.
 */
#include "capture.h"

/* Only 127.0.0.0/8 and ::1 arrive "on" it; for its other addresses the kernel names the device that has them. */
#define LOOPBACK_IFINDEX 1

/* Set by the loader. */
const volatile __u64 pod_netns = 0;

static __always_inline void read_addresses(const struct bpf_sk_lookup *ctx, struct connection_key *key)
{
	if (ctx->family == AF_INET) {
		key->remote = ip_from_v4(loaded(ctx->remote_ip4));
		key->local = ip_from_v4(loaded(ctx->local_ip4));
		return;
	}
	key->remote.word[0] = ctx->remote_ip6[0];
	key->remote.word[1] = ctx->remote_ip6[1];
	key->remote.word[2] = ctx->remote_ip6[2];
	key->remote.word[3] = ctx->remote_ip6[3];
	key->local.word[0] = ctx->local_ip6[0];
	key->local.word[1] = ctx->local_ip6[1];
	key->local.word[2] = ctx->local_ip6[2];
	key->local.word[3] = ctx->local_ip6[3];
}

/* Without the port's group: a group would share new connections out between an old, draining ztunnel and the new one. */
static __always_inline bool assign(struct bpf_sk_lookup *ctx, __u32 slot)
{
	struct listener_key key = { .netns = pod_netns, .slot = slot };
	struct bpf_sock *listener = bpf_map_lookup_elem(&listeners, &key);
	if (!listener)
		return false;
	long refused = bpf_sk_assign(ctx, listener, BPF_SK_LOOKUP_F_NO_REUSEPORT);
	bpf_sk_release(listener);
	return refused == 0;
}

SEC("sk_lookup")
int steer(struct bpf_sk_lookup *ctx)
{
	if (ctx->protocol != IPPROTO_TCP || ctx->ingress_ifindex == LOOPBACK_IFINDEX ||
	    ctx->local_port == INBOUND_HBONE_PORT)
		return SK_PASS;
	struct connection_key connection = {
		.netns = pod_netns,
		.remote_port = bpf_ntohs(ctx->remote_port),
		.local_port = ctx->local_port,
	};
	read_addresses(ctx, &connection);
	if (bpf_map_lookup_elem(&direct_connections, &connection))
		return SK_PASS;
	__u64 netns = pod_netns;
	__u32 *newest = bpf_map_lookup_elem(&newest_listener, &netns);
	if (!newest)
		return SK_DROP;
	/* From the newest to the oldest: a closed listener has left its slot empty. */
#pragma unroll
	for (__u32 age = 0; age < LISTENER_SLOTS; age++)
		if (assign(ctx, (*newest + LISTENER_SLOTS - age) % LISTENER_SLOTS))
			return SK_PASS;
	/* Enrolled and no ztunnel: refused, never let through. */
	return SK_DROP;
}

char license_text[] SEC("license") = "Dual BSD/GPL";
