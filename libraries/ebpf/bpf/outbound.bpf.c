// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Outbound capture, at the root of the cgroup tree: connections of enrolled pods go to ztunnel's listener on the pod's own loopback,
 * and SO_ORIGINAL_DST tells ztunnel where they wanted to go, as if netfilter had redirected them. Also sees ztunnel's listeners come
 * up, the node's own connections to pods, and ztunnel's last hop. Everything happens once per connection, nothing per packet.
 */
#include "capture.h"

#define SOL_SOCKET 1
#define SO_MARK 36
#define SOL_IP 0
#define SOL_IPV6 41
#define SO_ORIGINAL_DST 80
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

struct client_key {
	__u64 netns;
	struct ip ip;
	__u32 port;
	__u32 unused;
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
	if (own || is_loopback(&to->ip))
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
	ctx->user_ip4 = bpf_htonl(INADDR_LOOPBACK);
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
	ctx->user_ip6[3] = v4 ? bpf_htonl(INADDR_LOOPBACK) : bpf_htonl(1);
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

char license_text[] SEC("license") = "Dual BSD/GPL";
