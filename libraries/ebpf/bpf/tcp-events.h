/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * Events of TCP sockets: destinations are handed over, ztunnel's listeners found, connections that go past ztunnel announced.
 */
#ifndef MELTEMI_TCP_EVENTS_H
#define MELTEMI_TCP_EVENTS_H

#include "outbound.h"

static __always_inline struct ip local_ip(const struct bpf_sock_ops *ops)
{
	if (ops->family == AF_INET)
		return ip_from_v4(loaded(ops->local_ip4));
	struct ip ip = { .word = { ops->local_ip6[0], ops->local_ip6[1], ops->local_ip6[2], ops->local_ip6[3] } };
	return ip;
}

static __always_inline struct ip remote_ip(const struct bpf_sock_ops *ops)
{
	if (ops->family == AF_INET)
		return ip_from_v4(loaded(ops->remote_ip4));
	struct ip ip = { .word = { ops->remote_ip6[0], ops->remote_ip6[1], ops->remote_ip6[2], ops->remote_ip6[3] } };
	return ip;
}

/*
 * The key of a connection that goes past ztunnel; false for every other. Taking the node's address for a sign of kubelet would also let in
 * whatever the node masquerades (NodePort, hostPort): only sockets really opened in the node's namespace count.
 */
static __always_inline bool direct_connection(struct bpf_sock_ops *ops, struct connection_key *key)
{
	__u64 netns = bpf_get_netns_cookie(ops);
	struct address_key to = {
		.netns = node_netns != 0 && netns == node_netns ? ANY_NETNS : netns,
		.ip = remote_ip(ops),
	};
	const __u64 *owner = bpf_map_lookup_elem(&addresses, &to);
	if (!owner)
		return false;
	key->netns = *owner;
	key->remote = local_ip(ops);
	key->local = to.ip;
	key->remote_port = ops->local_port;
	key->local_port = bpf_ntohl(ops->remote_port);
	return true;
}

static __always_inline void let_past(struct bpf_sock_ops *ops)
{
	struct connection_key key = {};
	if (!direct_connection(ops, &key))
		return;
	__u8 yes = 1;
	bpf_map_update_elem(&direct_connections, &key, &yes, BPF_ANY);
	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
}

/* A stranger with the same address and port must not find the door open later. */
static __always_inline void forget(struct bpf_sock_ops *ops)
{
	struct connection_key key = {};
	if (ops->args[1] == BPF_TCP_CLOSE && direct_connection(ops, &key))
		bpf_map_delete_elem(&direct_connections, &key);
}

static __always_inline void hand_over(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	if (!sk)
		return;
	struct destination *to = bpf_sk_storage_get(&wanted, sk, NULL, 0);
	if (!to)
		return;
	struct client_key key = {
		.netns = bpf_get_netns_cookie(ops),
		.ip = local_ip(ops),
		.port = ops->local_port,
		.towards = remote_ip(ops).word[3],
	};
	struct destination copy = *to;
	bpf_map_update_elem(&handed_over, &key, &copy, BPF_ANY);
}

static __always_inline void keep_listener(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	if (!sk || ops->local_port != INBOUND_PLAINTEXT_PORT || !is_ztunnel(sk))
		return;
	__u64 netns = bpf_get_netns_cookie(ops);
	remember_listener(netns, bpf_sock_hash_update(ops, &listeners, &key, BPF_ANY));
}

SEC("sockops")
int tcp_events(struct bpf_sock_ops *ops)
{
	switch (ops->op) {
	case BPF_SOCK_OPS_TCP_CONNECT_CB:
		let_past(ops);
		break;
	case BPF_SOCK_OPS_STATE_CB:
		forget(ops);
		break;
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		hand_over(ops);
		break;
	case BPF_SOCK_OPS_TCP_LISTEN_CB:
		keep_listener(ops);
		break;
	}
	return 1;
}

#endif
