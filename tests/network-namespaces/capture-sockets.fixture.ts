/** Sockets as an application makes them to slip past capture, or because it is an unusual application. */

import { once } from "node:events";
import { Socket } from "node:net";
import { type NetworkNamespace, type SocketAddress, withNetworkNamespace } from "@meltemi/linux";
import { checked } from "../../libraries/linux/src/failure.ts";
import { libc } from "../../libraries/linux/src/libc.ts";
import { encodeSocketAddress, familyOf } from "../../libraries/linux/src/socket-address.ts";

const SOCK_STREAM_CLOEXEC = 1 | 0o2000000;
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const SOL_TCP = 6;
const TCP_FASTOPEN_CONNECT = 30;
const IPPROTO_MPTCP = 262;
const PATIENCE_MS = 5_000;

/** `device` is bound to the pod's network device, `port` to a local port and no address. */
export type OddSocket = "fast open" | "multipath" | "device" | "port";

/** Connects such a socket (KERNEL when that is refused) and says the server's first line. */
export async function firstLineOfOdd(
  kind: OddSocket,
  netns: NetworkNamespace,
  destination: SocketAddress,
): Promise<string> {
  const protocol = kind === "multipath" ? IPPROTO_MPTCP : 0;
  return await lineOf(connected(netns, destination, protocol, (fd) => prepare(fd, kind, destination)));
}

/** Connects to all of them before anybody can accept the first one, and says each server's first line. */
export async function firstLinesAtOnce(
  netns: NetworkNamespace,
  destinations: readonly SocketAddress[],
): Promise<readonly string[]> {
  // In one turn of the event loop: the kernel shakes hands by itself.
  const fds = destinations.map((destination) => connected(netns, destination, 0, () => undefined));
  return await Promise.all(fds.map(lineOf));
}

function connected(
  netns: NetworkNamespace,
  destination: SocketAddress,
  protocol: number,
  prepared: (fd: number) => void,
): number {
  const fd = withNetworkNamespace(netns, () =>
    checked("make socket", libc.socket(familyOf(destination), SOCK_STREAM_CLOEXEC, protocol)),
  );
  try {
    prepared(fd);
    const address = encodeSocketAddress(destination);
    checked("connect", libc.connect(fd, address, address.length));
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

async function lineOf(fd: number): Promise<string> {
  const socket = new Socket({ fd });
  try {
    // Fast open puts the connection off until something is written.
    socket.write("\n");
    const [line] = await once(socket, "data", { signal: AbortSignal.timeout(PATIENCE_MS) });
    return String(line).split("\n", 1)[0] ?? "";
  } finally {
    socket.destroy();
  }
}

function prepare(fd: number, kind: OddSocket, destination: SocketAddress): void {
  if (kind === "fast open")
    checked(
      "ask for fast open",
      libc.setsockopt(fd, SOL_TCP, TCP_FASTOPEN_CONNECT, Uint8Array.of(1, 0, 0, 0), 4),
    );
  if (kind === "device")
    checked("bind to eth0", libc.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from("eth0\0"), 5));
  if (kind === "port") {
    const v6 = destination.ip.includes(":");
    // Each its own, since the other is still in TIME_WAIT.
    const local = encodeSocketAddress(v6 ? { ip: "::", port: 40_006 } : { ip: "0.0.0.0", port: 40_004 });
    checked("bind to a port", libc.bind(fd, local, local.length));
  }
}
