// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Finds ztunnel listeners that were there before their pod was enrolled (the pins were lost while ztunnel ran on): an iterator over
 * the TCP sockets of the reading thread's network namespace. Needs the kernel's type information (BTF).
 */
#include "capture.h"

#define TCP_LISTEN 10

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct net {
	__u64 net_cookie;
};
typedef struct {
	struct net *net;
} possible_net_t;
struct sock_common {
	volatile unsigned char skc_state;
	__u16 skc_num;
	possible_net_t skc_net;
};
struct sock {
	__u32 sk_mark;
};
struct inet_sock {
	struct sock sk;
};
struct inet_connection_sock {
	struct inet_sock icsk_inet;
};
struct tcp_sock {
	struct inet_connection_sock inet_conn;
};
struct bpf_iter__tcp {
	struct sock_common *sk_common;
};

#pragma clang attribute pop

SEC("iter/tcp")
int find_listeners(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;
	if (!common || common->skc_state != TCP_LISTEN || common->skc_num != INBOUND_PLAINTEXT_PORT)
		return 0;
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(common);
	if (!tcp || (tcp->inet_conn.icsk_inet.sk.sk_mark & MARK_MASK) != ZTUNNEL_MARK)
		return 0;
	__u64 netns = common->skc_net.net->net_cookie;
	remember_listener(netns, bpf_map_update_elem(&listeners, &key, tcp, BPF_ANY));
	return 0;
}

char license_text[] SEC("license") = "Dual BSD/GPL";
