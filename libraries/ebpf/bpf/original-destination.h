/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
 *
 * SO_ORIGINAL_DST: ztunnel asks where a connection wanted to go, as if netfilter had redirected it.
 */
#ifndef MELTEMI_ORIGINAL_DESTINATION_H
#define MELTEMI_ORIGINAL_DESTINATION_H

#include "outbound.h"

#define SOL_IP 0
#define SOL_IPV6 41
#define SO_ORIGINAL_DST 80

static __always_inline struct ip socket_remote(const struct bpf_sock *sk)
{
	if (sk->family == AF_INET)
		return ip_from_v4(loaded(sk->dst_ip4));
	struct ip ip = { .word = { sk->dst_ip6[0], sk->dst_ip6[1], sk->dst_ip6[2], sk->dst_ip6[3] } };
	return ip;
}

static __always_inline struct ip socket_local(const struct bpf_sock *sk)
{
	if (sk->family == AF_INET)
		return ip_from_v4(loaded(sk->src_ip4));
	struct ip ip = { .word = { sk->src_ip6[0], sk->src_ip6[1], sk->src_ip6[2], sk->src_ip6[3] } };
	return ip;
}

/*
 * What SO_ORIGINAL_DST is for one of ztunnel's accepted sockets. Outbound: what the client wanted; when that is lost the kernel's own
 * refusal stands. Inbound: sk_lookup left the local address as the client wrote it, which is the answer.
 */
static __always_inline bool answer(struct bpf_sockopt *ctx, struct bpf_sock *sk, struct destination *out)
{
	struct destination *known = bpf_sk_storage_get(&accepted, sk, NULL, 0);
	if (known) {
		*out = *known;
		return true;
	}
	struct client_key key = {
		.netns = bpf_get_netns_cookie(ctx),
		.ip = socket_remote(sk),
		.port = bpf_ntohs(sk->dst_port),
		.towards = socket_local(sk).word[3],
	};
	if (!bpf_map_lookup_elem(&pods, &key.netns))
		return false;
	struct destination *to = bpf_map_lookup_elem(&handed_over, &key);
	if (to) {
		*out = *to;
		bpf_sk_storage_get(&accepted, sk, out, BPF_SK_STORAGE_GET_F_CREATE);
		bpf_map_delete_elem(&handed_over, &key);
		return true;
	}
	__u32 port = sk->src_port;
	/* Where netfilter answered, its word counts for what we did not redirect: a rule of the pod may have translated it. */
	if (port == OUTBOUND_PORT || port == DNS_PROXY_PORT || ctx->retval == 0)
		return false;
	out->ip = socket_local(sk);
	out->port = bpf_htons(port);
	return true;
}

/* Volatile, because two neighbouring stores would become one of eight bytes, which the verifier refuses. */
static __always_inline void succeed(volatile struct bpf_sockopt *ctx, __s32 length)
{
	ctx->optlen = length;
	ctx->retval = 0;
}

static __always_inline void write_v4(struct bpf_sockopt *ctx, const struct destination *to)
{
	struct sockaddr_in *out = ctx->optval;
	if ((void *)(out + 1) > ctx->optval_end)
		return;
	__builtin_memset(out, 0, sizeof(*out));
	out->sin_family = AF_INET;
	out->sin_port = to->port;
	out->sin_addr.s_addr = to->ip.word[3];
	succeed(ctx, sizeof(*out));
}

static __always_inline void write_v6(struct bpf_sockopt *ctx, const struct destination *to)
{
	struct sockaddr_in6 *out = ctx->optval;
	if ((void *)(out + 1) > ctx->optval_end)
		return;
	__builtin_memset(out, 0, sizeof(*out));
	out->sin6_family = AF_INET6;
	out->sin6_port = to->port;
	__builtin_memcpy(&out->sin6_addr, &to->ip, sizeof(to->ip));
	succeed(ctx, sizeof(*out));
}

/*
 * Runs after netfilter, which answers as well wherever it tracks connections (rules of the pod itself, or of a capture before): then
 * with our own listener's address, the only one it ever saw.
 */
SEC("cgroup/getsockopt")
int original_destination(struct bpf_sockopt *ctx)
{
	struct bpf_sock *sk = ctx->sk;
	bool v4 = ctx->level == SOL_IP;
	if (ctx->optname != SO_ORIGINAL_DST || (!v4 && ctx->level != SOL_IPV6))
		return ALLOW;
	if (!sk || !is_ztunnel(sk))
		return ALLOW;
	struct destination to = {};
	if (!answer(ctx, sk, &to) || is_v4(&to.ip) != v4)
		return ALLOW;
	if (v4)
		write_v4(ctx, &to);
	else
		write_v6(ctx, &to);
	return ALLOW;
}

#endif
