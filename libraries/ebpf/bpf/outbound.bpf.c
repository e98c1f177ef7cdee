// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Outbound capture, at the root of the cgroup tree: connections of enrolled pods go to ztunnel's listener on the pod's own loopback,
 * and SO_ORIGINAL_DST tells ztunnel where they wanted to go, as if netfilter had redirected them. Also sees ztunnel's listeners come
 * up, the node's own connections to pods, and ztunnel's last hop. Everything happens once per connection, nothing per packet.
 */
#include "original-destination.h"
#include "outbound.h"
#include "tcp-events.h"

#define SOL_SOCKET 1
#define SO_MARK 36

/* 127.1.0.0/16, and the multiplier of Knuth's hash. */
#define LOOPBACK_BLOCK 0x7f010000
#define GOLDEN_RATIO 0x9e3779b1

static __always_inline void mark_last_hop(struct bpf_sock_addr *ctx, __u32 mark)
{
	__u32 marked = (mark & ~MARK_MASK) | RETURN_MARK;
	/* A refusal leaves the old mark: the app's replies do not come back and the connection times out, which is closed. */
	bpf_setsockopt(ctx, SOL_SOCKET, SO_MARK, &marked, sizeof(marked));
}

/* The port of ztunnel that takes this traffic, 0 when it is to be left alone. */
static __always_inline __u16 capturing_port(struct bpf_sock_addr *ctx, struct bpf_sock *sk, const struct destination *to)
{
	struct address_key key = { .netns = bpf_get_netns_cookie(ctx), .ip = to->ip };
	const struct pod *pod = bpf_map_lookup_elem(&pods, &key.netns);
	if (!pod)
		return 0;
	bool tcp = ctx->protocol == IPPROTO_TCP;
	bool own = bpf_map_lookup_elem(&addresses, &key) != NULL;
	if (is_ztunnel(sk)) {
		if (own && tcp)
			mark_last_hop(ctx, sk->mark);
		return 0;
	}
	if (own || is_loopback(&to->ip) || (pod->flags & POD_LEAVING))
		return 0;
	if (to->port == bpf_htons(DNS_PORT) && (pod->flags & POD_CAPTURES_DNS))
		return DNS_PROXY_PORT;
	return tcp ? OUTBOUND_PORT : 0;
}

/*
 * Remembers where the socket wanted to go. False: the connection is refused (EPERM), never let through. That is without memory, and for
 * a socket bound to a device: through it loopback cannot be reached, and the choice is not ours to overrule (a VPN's, say).
 */
static __always_inline bool remember(struct bpf_sock *sk, const struct destination *to)
{
	if (sk->bound_dev_if != 0)
		return false;
	struct destination *kept = bpf_sk_storage_get(&wanted, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!kept)
		return false;
	*kept = *to;
	return true;
}

/*
 * A redirected connection keeps the pod's address: without this the kernel would choose 127.0.0.1, which the application would see as
 * its own address and ztunnel as its client. No port is taken before the kernel knows the destination. An application that bound its
 * socket keeps what it has; a refusal (the address is gone, or only a port was bound) leaves loopback, which works as well.
 */
static __always_inline void keep_source_v4(struct bpf_sock_addr *ctx, const struct bpf_sock *sk)
{
	if (ctx->protocol != IPPROTO_TCP || sk->src_ip4 != 0)
		return;
	__u64 netns = bpf_get_netns_cookie(ctx);
	const struct own_addresses *own = bpf_map_lookup_elem(&own_address, &netns);
	if (!own || own->v4.word[3] == 0)
		return;
	struct sockaddr_in source = { .sin_family = AF_INET, .sin_addr.s_addr = own->v4.word[3] };
	bpf_bind(ctx, (struct sockaddr *)&source, sizeof(source));
}

static __always_inline void keep_source_v6(struct bpf_sock_addr *ctx, const struct bpf_sock *sk, bool v4)
{
	if (ctx->protocol != IPPROTO_TCP || (sk->src_ip6[0] | sk->src_ip6[1] | sk->src_ip6[2] | sk->src_ip6[3]) != 0)
		return;
	__u64 netns = bpf_get_netns_cookie(ctx);
	const struct own_addresses *own = bpf_map_lookup_elem(&own_address, &netns);
	if (!own)
		return;
	const struct ip *ip = v4 ? &own->v4 : &own->v6;
	if ((ip->word[0] | ip->word[1] | ip->word[2] | ip->word[3]) == 0)
		return;
	struct sockaddr_in6 source;
	__builtin_memset(&source, 0, sizeof(source));
	source.sin6_family = AF_INET6;
	__builtin_memcpy(&source.sin6_addr, ip, sizeof(*ip));
	bpf_bind(ctx, (struct sockaddr *)&source, sizeof(source));
}

/*
 * Which loopback address leads to ztunnel. With one for all, the pod would have its ephemeral ports once; so each destination has its
 * own, as without capture. ztunnel listens on all of them, its DNS proxy on 127.0.0.1 alone. IPv6 has only one.
 */
static __always_inline __be32 loopback_towards(const struct destination *to, __u16 port)
{
	if (port != OUTBOUND_PORT)
		return bpf_htonl(INADDR_LOOPBACK);
	__u32 mixed = (to->ip.word[3] ^ (__u32)to->port) * GOLDEN_RATIO;
	return bpf_htonl(LOOPBACK_BLOCK | (mixed >> 16));
}

static __always_inline struct ip sockaddr_v6(const struct bpf_sock_addr *ctx)
{
	struct ip ip = { .word = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3] } };
	return ip;
}

static __always_inline int redirect_v4(struct bpf_sock_addr *ctx, bool connecting)
{
	struct bpf_sock *sk = ctx->sk;
	if (!sk || (ctx->protocol != IPPROTO_TCP && ctx->protocol != IPPROTO_UDP))
		return ALLOW;
	struct destination to = { .ip = ip_from_v4(ctx->user_ip4), .port = ctx->user_port };
	__u16 port = capturing_port(ctx, sk, &to);
	if (!port) {
		/* A socket may connect again, elsewhere; one that only sends there may still wait for an answer of the DNS proxy. */
		if (connecting)
			bpf_sk_storage_delete(&wanted, sk);
		return ALLOW;
	}
	if (!remember(sk, &to))
		return REFUSE;
	if (connecting)
		keep_source_v4(ctx, sk);
	ctx->user_ip4 = loopback_towards(&to, port);
	ctx->user_port = bpf_htons(port);
	return ALLOW;
}

static __always_inline int redirect_v6(struct bpf_sock_addr *ctx, bool connecting)
{
	struct bpf_sock *sk = ctx->sk;
	if (!sk || (ctx->protocol != IPPROTO_TCP && ctx->protocol != IPPROTO_UDP))
		return ALLOW;
	struct destination to = { .ip = sockaddr_v6(ctx), .port = ctx->user_port };
	__u16 port = capturing_port(ctx, sk, &to);
	if (!port) {
		if (connecting)
			bpf_sk_storage_delete(&wanted, sk);
		return ALLOW;
	}
	if (!remember(sk, &to))
		return REFUSE;
	bool v4 = is_v4(&to.ip);
	if (connecting)
		keep_source_v6(ctx, sk, v4);
	ctx->user_ip6[0] = 0;
	ctx->user_ip6[1] = 0;
	ctx->user_ip6[2] = v4 ? bpf_htonl(0xffff) : 0;
	ctx->user_ip6[3] = v4 ? loopback_towards(&to, port) : bpf_htonl(1);
	ctx->user_port = bpf_htons(port);
	return ALLOW;
}

/* The application is shown the address it asked for. */
static __always_inline int show_wanted_v4(struct bpf_sock_addr *ctx)
{
	struct destination *to = ctx->sk ? bpf_sk_storage_get(&wanted, ctx->sk, NULL, 0) : NULL;
	if (to && is_v4(&to->ip)) {
		ctx->user_ip4 = to->ip.word[3];
		ctx->user_port = to->port;
	}
	return ALLOW;
}

static __always_inline int show_wanted_v6(struct bpf_sock_addr *ctx)
{
	struct destination *to = ctx->sk ? bpf_sk_storage_get(&wanted, ctx->sk, NULL, 0) : NULL;
	if (to) {
		ctx->user_ip6[0] = to->ip.word[0];
		ctx->user_ip6[1] = to->ip.word[1];
		ctx->user_ip6[2] = to->ip.word[2];
		ctx->user_ip6[3] = to->ip.word[3];
		ctx->user_port = to->port;
	}
	return ALLOW;
}

SEC("cgroup/connect4")
int connect_v4(struct bpf_sock_addr *ctx)
{
	return redirect_v4(ctx, true);
}

SEC("cgroup/connect6")
int connect_v6(struct bpf_sock_addr *ctx)
{
	return redirect_v6(ctx, true);
}

SEC("cgroup/sendmsg4")
int sendmsg_v4(struct bpf_sock_addr *ctx)
{
	return redirect_v4(ctx, false);
}

SEC("cgroup/sendmsg6")
int sendmsg_v6(struct bpf_sock_addr *ctx)
{
	return redirect_v6(ctx, false);
}

/* Only what comes from ztunnel's DNS proxy is shown as the server that was asked. */
SEC("cgroup/recvmsg4")
int recvmsg_v4(struct bpf_sock_addr *ctx)
{
	if (ctx->user_port != bpf_htons(DNS_PROXY_PORT) || ctx->user_ip4 != bpf_htonl(INADDR_LOOPBACK))
		return ALLOW;
	return show_wanted_v4(ctx);
}

SEC("cgroup/recvmsg6")
int recvmsg_v6(struct bpf_sock_addr *ctx)
{
	struct ip from = sockaddr_v6(ctx);
	if (ctx->user_port != bpf_htons(DNS_PROXY_PORT) || !is_loopback(&from))
		return ALLOW;
	return show_wanted_v6(ctx);
}

SEC("cgroup/getpeername4")
int getpeername_v4(struct bpf_sock_addr *ctx)
{
	return show_wanted_v4(ctx);
}

SEC("cgroup/getpeername6")
int getpeername_v6(struct bpf_sock_addr *ctx)
{
	return show_wanted_v6(ctx);
}

char license_text[] SEC("license") = "Dual BSD/GPL";
