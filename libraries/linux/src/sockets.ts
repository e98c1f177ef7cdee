/**
 * Sockets made by hand, in a chosen namespace, with options that must be set before `bind` or `connect`. All are non-blocking and
 * close-on-exec. Adopt a listener with `net.Server.listen({ fd })`, a connecting socket with `new net.Socket({ fd })`,
 * a UDP socket with `dgram.Socket.bind({ fd })`; from then on Node closes it.
 */

import { MeshError } from "@meltemi/runtime";
import { checked, closingOnFailure, ERRNO, kernelError } from "./failure.ts";
import { lastErrno, libc } from "./libc.ts";
import { type NetworkNamespace, withNetworkNamespace } from "./network-namespace.ts";
import { AF_INET6, encodeSocketAddress, familyOf, type SocketAddress } from "./socket-address.ts";
import {
  IP_BIND_ADDRESS_NO_PORT,
  IPV6_V6ONLY,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  type SocketOptions,
  setIntegerOption,
  setSocketOptions,
  trySetTransparent,
} from "./socket-options.ts";

const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
export const NONBLOCK_CLOEXEC: number = 0o4000 | 0o2000000;

interface BindOptions {
  /** Where the socket is made; the calling thread's own namespace when absent. */
  readonly netns?: NetworkNamespace | undefined;
  readonly address: SocketAddress;
  readonly mark?: number | undefined;
  readonly reusePort?: boolean;
  /** Asks for IP_TRANSPARENT; whether it was granted is in the result. */
  readonly transparent?: boolean;
  /** For an IPv6 address: true refuses IPv4 peers, false (the default here, whatever the sysctl says) takes both. */
  readonly v6Only?: boolean;
}

export interface TcpListenerOptions extends BindOptions {
  /** Connections waiting for `accept`; the kernel caps it at net.core.somaxconn. */
  readonly backlog: number;
}

export type UdpSocketOptions = BindOptions;

export interface BoundSocket {
  readonly fd: number;
  /** Whether IP_TRANSPARENT is set. */
  readonly transparent: boolean;
}

/** A bound, listening TCP socket. KERNEL with EADDRINUSE, EADDRNOTAVAIL, EACCES… when it cannot be. */
export function createTcpListener(options: TcpListenerOptions): BoundSocket {
  return inside(options.netns, () => {
    const bound = openBound(SOCK_STREAM, options);
    return closingOnFailure(bound.fd, () => {
      checked("listen", libc.listen(bound.fd, options.backlog), describe(options.address));
      return bound;
    });
  });
}

/** A bound UDP socket. */
export function createUdpSocket(options: UdpSocketOptions): BoundSocket {
  return inside(options.netns, () => openBound(SOCK_DGRAM, options));
}

export interface TcpConnectOptions extends SocketOptions {
  readonly netns?: NetworkNamespace | undefined;
  /** Local address; port 0 lets the kernel choose when it knows the destination. */
  readonly source?: SocketAddress | undefined;
  readonly destination: SocketAddress;
  /** Sets IP_TRANSPARENT, so that `source` may be a stranger's address; refused by the kernel is an error here. */
  readonly transparent?: boolean;
}

/**
 * Starts a TCP connection and returns its descriptor while the handshake runs: an adopting `net.Socket` says `connect` or `error`.
 * A refusal known at once (ENETUNREACH, on loopback also ECONNREFUSED) is thrown as KERNEL.
 */
export function startTcpConnect(options: TcpConnectOptions): number {
  return inside(options.netns, () => {
    const family = familyOf(options.destination);
    const fd = checked("make TCP socket", libc.socket(family, SOCK_STREAM | NONBLOCK_CLOEXEC, 0));
    return closingOnFailure(fd, () => {
      setSocketOptions(fd, options);
      if (options.transparent === true && !trySetTransparent(fd, family))
        throw kernelError("set IP_TRANSPARENT", ERRNO.EPERM);
      if (options.source !== undefined) bindSource(fd, family, options.source);
      const destination = encodeSocketAddress(options.destination);
      if (libc.connect(fd, destination, destination.length) !== 0) {
        const errno = lastErrno();
        if (errno !== ERRNO.EINPROGRESS)
          throw kernelError("connect to", errno, describe(options.destination));
      }
      return fd;
    });
  });
}

function bindSource(fd: number, family: number, source: SocketAddress): void {
  if (familyOf(source) !== family)
    throw new MeshError(
      "INPUT_INVALID",
      `bind to source ${describe(source)}: expected an address of the destination's family`,
    );
  // Without it a port is taken at bind, and one source address could hold only 28 000 connections in all, not per destination.
  if (source.port === 0) setIntegerOption(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1, "IP_BIND_ADDRESS_NO_PORT");
  const raw = encodeSocketAddress(source);
  checked("bind to source", libc.bind(fd, raw, raw.length), describe(source));
}

function openBound(type: number, options: BindOptions): BoundSocket {
  const { address } = options;
  const family = familyOf(address);
  const fd = checked("make socket", libc.socket(family, type | NONBLOCK_CLOEXEC, 0), describe(address));
  return closingOnFailure(fd, () => {
    setSocketOptions(fd, { mark: options.mark });
    if (type === SOCK_STREAM) setIntegerOption(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
    if (options.reusePort === true) setIntegerOption(fd, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
    if (family === AF_INET6)
      setIntegerOption(fd, SOL_IPV6, IPV6_V6ONLY, options.v6Only === true ? 1 : 0, "IPV6_V6ONLY");
    const transparent = options.transparent === true && trySetTransparent(fd, family);
    const raw = encodeSocketAddress(address);
    checked("bind", libc.bind(fd, raw, raw.length), describe(address));
    return { fd, transparent };
  });
}

function inside<T>(netns: NetworkNamespace | undefined, work: () => T): T {
  return netns === undefined ? work() : withNetworkNamespace(netns, work);
}

function describe(address: SocketAddress): string {
  return address.ip.includes(":") ? `[${address.ip}]:${address.port}` : `${address.ip}:${address.port}`;
}
