/**
 * The sockets of one pod: made inside its network namespace, marked as ours, with the configured keepalive
 * (reference: protocol §6.5). Everything that opens a socket for a pod does it through this.
 */

import type { Socket } from "node:net";
import {
  type BoundSocket,
  beginTcpConnect,
  closeFd,
  createTcpListener,
  createUdpSocket,
  type KeepAlive,
  type NetworkNamespace,
  originalDestination,
  setSocketOptions,
} from "@meltemi/linux";
import { type Ip, isIpv6, parseIp, type SocketAddress } from "@meltemi/model";
import { type Clock, MeshError } from "@meltemi/runtime";

export interface PodSocketOptions {
  /** Absent: the process's own namespace. */
  readonly namespace?: NetworkNamespace | undefined;
  /** Marked sockets are ours and not captured again; needs CAP_NET_ADMIN. */
  readonly mark?: number | undefined;
  readonly keepAlive?: KeepAlive | undefined;
  readonly userTimeoutMs?: number | undefined;
  readonly portReuse: boolean;
}

interface DialOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Local address; one that is not the pod's own needs a transparent socket. */
  readonly source?: SocketAddress | undefined;
  readonly transparent?: boolean;
}

export interface PodSockets {
  /** Accepted connections have the keepalive. KERNEL when the address is taken or not there. `transparent` asks for it; whether it was granted is in the answer. */
  listenTcp(address: SocketAddress, transparent: boolean): BoundSocket;
  bindUdp(address: SocketAddress): number;
  /** Resolves connected, or rejects: TIMEOUT, or as {@link beginTcpConnect}. */
  dial(destination: SocketAddress, options: DialOptions): Promise<Socket>;
  /** Where the client of an accepted connection wanted to go. */
  originalDestination(socket: Socket): SocketAddress;
}

/** As Istio: waiting clients beyond this are retried by their kernel. */
const LISTEN_BACKLOG = 128;

export function createPodSockets(options: PodSocketOptions, deps: { readonly clock: Clock }): PodSockets {
  const { namespace, mark } = options;
  const common = { netns: namespace, mark };
  const live = { noDelay: true, keepAlive: options.keepAlive, userTimeoutMs: options.userTimeoutMs };
  return {
    listenTcp(address, transparent) {
      const listener = createTcpListener({
        ...common,
        address,
        backlog: LISTEN_BACKLOG,
        reusePort: options.portReuse,
        transparent,
      });
      // Linux gives an accepted socket its listener's options: five system calls less for each connection.
      try {
        setSocketOptions(listener.fd, live);
      } catch (error) {
        closeFd(listener.fd);
        throw error;
      }
      return listener;
    },
    // During an upgrade two processes serve a pod's DNS. A free port must not be shared: the kernel might choose another's.
    bindUdp: (address) =>
      createUdpSocket({ ...common, address, reusePort: options.portReuse && address.port !== 0 }).fd,
    async dial(destination, { timeoutMs, signal, source, transparent = false }) {
      signal?.throwIfAborted();
      const connecting = beginTcpConnect({ ...common, ...live, destination, source, transparent });
      const giveUp = (): void => connecting.cancel(signal?.reason);
      signal?.addEventListener("abort", giveUp, { once: true });
      // Not AbortSignal.timeout: its timer and links outlive a connect of 100 µs by the whole timeout.
      const timer = deps.clock.after(timeoutMs, () =>
        connecting.cancel(new MeshError("TIMEOUT", `connection timed out after ${timeoutMs} ms`)),
      );
      try {
        return await connecting.established;
      } finally {
        timer.cancel();
        signal?.removeEventListener("abort", giveUp);
      }
    },
    originalDestination: acceptedDestination,
  };
}

function acceptedDestination(socket: Socket): SocketAddress {
  const fd = descriptorOf(socket);
  const known = fd === undefined ? undefined : originalDestination(fd);
  const ip = parseIp(known?.ip ?? socket.localAddress ?? "");
  const port = known?.port ?? socket.localPort;
  if (ip === undefined || port === undefined)
    throw new MeshError("ABORTED", "read original destination: the client is gone already");
  return { ip, port };
}

/** Node names the descriptor of a socket nowhere else. */
function descriptorOf(socket: Socket): number | undefined {
  const handle = (socket as unknown as { readonly _handle?: { readonly fd?: number } | null })._handle;
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}

/** The peer of an accepted connection, canonical; undefined when it is gone already. */
export function peerOf(socket: Socket): SocketAddress | undefined {
  const ip = parseIp(socket.remoteAddress ?? "");
  return ip === undefined || socket.remotePort === undefined ? undefined : { ip, port: socket.remotePort };
}

export function anyAddress(ipv6: boolean): Ip {
  return parseIp(ipv6 ? "::" : "0.0.0.0") as Ip;
}

/** Port of an address that a socket of the same family may be bound to before connecting. */
export function sourceFor(ip: Ip, destination: SocketAddress): SocketAddress | undefined {
  return isIpv6(ip) === isIpv6(destination.ip) ? { ip, port: 0 } : undefined;
}
