/**
 * A node, a pod and the outside as network namespaces, with stand-ins for what speaks there: ztunnel's listeners in the pod (only what
 * capture needs of them: each says which address it was asked for), an app in the pod, a server outside.
 */

import { execFileSync } from "node:child_process";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { ZTUNNEL_MARK } from "@meltemi/ebpf";
import {
  connectTcp,
  createTcpListener,
  createUdpSocket,
  type NetworkNamespace,
  openNetworkNamespace,
  originalDestination,
  type SocketAddress,
  type TcpConnectOptions,
} from "@meltemi/linux";

const NAMES = { node: "mlx-node", pod: "mlx-pod", outside: "mlx-outside" } as const;

export const ADDRESSES = {
  node: { 4: "10.88.1.1", 6: "fd88:1::1" },
  pod: { 4: "10.88.1.2", 6: "fd88:1::2" },
  outside: { 4: "10.88.2.2", 6: "fd88:2::2" },
} as const;
export const FAMILIES = [4, 6] as const;
export const APP_PORT = 8080;

export interface Scene extends Disposable {
  readonly node: NetworkNamespace;
  readonly pod: NetworkNamespace;
  readonly outside: NetworkNamespace;
}

const ip = (...words: string[]): void => {
  execFileSync("ip", words, { stdio: "pipe" });
};

/** Applies nftables rules in a namespace. */
export function nft(netns: NetworkNamespace, rules: string): void {
  const within = `--net=/proc/${process.pid}/fd/${netns.fd}`;
  execFileSync("nsenter", [within, "nft", "-f", "-"], { input: rules, stdio: "pipe" });
}

function removeNamespaces(): void {
  const there = execFileSync("ip", ["netns", "list"], { encoding: "utf8" });
  for (const name of Object.values(NAMES))
    if (new RegExp(`^${name}( |$)`, "m").test(there)) ip("netns", "del", name);
}

function connectNamespaces(link: "pod" | "outside", subnet: number): void {
  const [near, far] = [NAMES.node, NAMES[link]];
  ip("-n", near, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", far);
  ip("-n", near, "addr", "add", `10.88.${subnet}.1/24`, "dev", link);
  ip("-n", near, "addr", "add", `fd88:${subnet}::1/64`, "dev", link, "nodad");
  ip("-n", near, "link", "set", link, "up");
  ip("-n", far, "addr", "add", `10.88.${subnet}.2/24`, "dev", "eth0");
  ip("-n", far, "addr", "add", `fd88:${subnet}::2/64`, "dev", "eth0", "nodad");
  ip("-n", far, "link", "set", "eth0", "up");
  ip("-n", far, "route", "add", "default", "via", `10.88.${subnet}.1`);
  ip("-n", far, "route", "add", "default", "via", `fd88:${subnet}::1`);
}

/** Builds the namespaces; what an earlier, crashed run left is removed first. */
export function createScene(): Scene {
  removeNamespaces();
  for (const name of Object.values(NAMES)) {
    ip("netns", "add", name);
    ip("-n", name, "link", "set", "lo", "up");
    // Duplicate address detection would hold up the first second of every link.
    for (const which of ["all", "default"])
      ip("netns", "exec", name, "sysctl", "-qw", `net.ipv6.conf.${which}.accept_dad=0`);
  }
  connectNamespaces("pod", 1);
  connectNamespaces("outside", 2);
  for (const key of ["net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"])
    ip("netns", "exec", NAMES.node, "sysctl", "-qw", `${key}=1`);
  const [node, pod, outside] = Object.values(NAMES).map((name) =>
    openNetworkNamespace(`/var/run/netns/${name}`),
  );
  if (node === undefined || pod === undefined || outside === undefined) throw new Error("no namespaces");
  const dispose = (): void => {
    for (const netns of [node, pod, outside]) netns.close();
    removeNamespaces();
  };
  return { node, pod, outside, [Symbol.dispose]: dispose };
}

export interface Listening extends AsyncDisposable {
  close(): Promise<void>;
}

const descriptorOf = (socket: Socket): number =>
  (socket as unknown as { _handle: { fd: number } })._handle.fd;
const bare = (address: string | undefined): string => (address ?? "").replace("::ffff:", "");

/** Sends a banner, then echoes until the peer ends. */
async function listen(
  options: { netns: NetworkNamespace; address: SocketAddress; mark?: number },
  banner: (socket: Socket) => string,
): Promise<Listening> {
  const transparent = options.mark !== undefined;
  const { fd } = createTcpListener({ ...options, reusePort: transparent, transparent, backlog: 128 });
  const open = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on("close", () => open.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.write(`${banner(socket)}\n`);
    socket.pipe(socket);
  });
  server.listen({ fd });
  await once(server, "listening");
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    server.close();
    for (const socket of open) socket.destroy();
    await once(server, "close");
  };
  return { close, [Symbol.asyncDispose]: close };
}

const format = (address: SocketAddress | undefined): string =>
  address === undefined ? "unknown" : `${address.ip} ${address.port}`;

/** An app, or a server: says who it sees. */
export function startApp(netns: NetworkNamespace, name: string, port: number): Promise<Listening> {
  return listen(
    { netns, address: { ip: "::", port } },
    (socket) => `${name} sees ${bare(socket.remoteAddress)}`,
  );
}

/** Answers each datagram with its name. */
export function startUdpServer(
  netns: NetworkNamespace,
  name: string,
  address: SocketAddress,
): Promise<Listening> {
  return listenUdp({ netns, address }, name);
}

async function listenUdp(
  options: { netns: NetworkNamespace; address: SocketAddress; mark?: number },
  name: string,
): Promise<Listening> {
  const socket = createSocket(options.address.ip.includes(":") ? "udp6" : "udp4");
  socket.on("message", (message, from) => socket.send(`${name} ${message}`, from.port, from.address));
  const { fd } = createUdpSocket({ ...options, reusePort: true });
  // An adopted descriptor is listening at once, before anyone could wait for it.
  socket.bind({ fd });
  let open = true;
  const close = async (): Promise<void> => {
    if (!open) return;
    open = false;
    socket.close();
    await once(socket, "close");
  };
  return { close, [Symbol.asyncDispose]: close };
}

/** ztunnel's sockets in a pod (reference: protocol §6.5), each saying what it was asked for. */
export async function startZtunnel(pod: NetworkNamespace, name = "ztunnel"): Promise<Listening> {
  const base = { netns: pod, mark: ZTUNNEL_MARK };
  const asked = (socket: Socket): string => format(originalDestination(descriptorOf(socket)));
  const inbound = (socket: Socket): string =>
    format(
      originalDestination(descriptorOf(socket)) ?? {
        ip: bare(socket.localAddress),
        port: socket.localPort ?? 0,
      },
    );
  const all = [
    await listen({ ...base, address: { ip: "::", port: 15001 } }, (s) => `${name} out ${asked(s)}`),
    await listen(
      { ...base, address: { ip: "::", port: 15006 } },
      (s) => `${name} in ${inbound(s)} from ${bare(s.remoteAddress)}`,
    ),
    await listen({ ...base, address: { ip: "::", port: 15008 } }, () => `${name} hbone`),
  ];
  for (const loopback of ["127.0.0.1", "::1"]) {
    const address = { ip: loopback, port: 15053 };
    all.push(await listen({ ...base, address }, () => `${name} dns`));
    all.push(await listenUdp({ ...base, address }, `${name} dns`));
  }
  const close = async (): Promise<void> => {
    for (const one of all) await one.close();
  };
  return { close, [Symbol.asyncDispose]: close };
}

/** A connection whose lines are read one by one. */
export interface Conversation extends Disposable {
  readonly socket: Socket;
  readonly fd: number;
  line(): Promise<string>;
  /** Sends a line and expects it back. */
  echoes(word: string): Promise<boolean>;
}

/** Longer than any test here needs: a hang is a failure with a name. */
const PATIENCE_MS = 5_000;

export async function converse(options: TcpConnectOptions): Promise<Conversation> {
  const socket = await connectTcp(options, AbortSignal.timeout(PATIENCE_MS));
  socket.setEncoding("utf8");
  let text = "";
  socket.on("data", (chunk: string) => {
    text += chunk;
    socket.emit("more");
  });
  let failure: Error | undefined;
  socket.on("error", (error) => {
    failure = error;
  });
  const line = async (): Promise<string> => {
    while (!text.includes("\n")) {
      if (failure !== undefined) throw failure;
      if (socket.readableEnded || socket.destroyed) throw new Error("the connection ended before a line");
      const stop = new AbortController();
      const { signal } = stop;
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
      await Promise.race(
        ["more", "end", "close"].map((event) => once(socket, event, { signal: bounded })),
      ).finally(() => stop.abort());
    }
    const end = text.indexOf("\n");
    const first = text.slice(0, end);
    text = text.slice(end + 1);
    return first;
  };
  const echoes = async (word: string): Promise<boolean> => {
    socket.write(`${word}\n`);
    return (await line()) === word;
  };
  return { socket, fd: descriptorOf(socket), line, echoes, [Symbol.dispose]: () => socket.destroy() };
}

/** The first line a server says, or the code of the error. */
export async function firstLine(options: TcpConnectOptions): Promise<string> {
  try {
    using conversation = await converse(options);
    return await conversation.line();
  } catch (error) {
    const code = /E[A-Z]{4,}/.exec(
      `${(error as NodeJS.ErrnoException).code} ${(error as Error).message}`,
    )?.[0];
    if (code === undefined) throw error;
    return code;
  }
}

/** Asks a UDP server one thing; connected or with an address on each datagram. Says the answer and whom it came from. */
export async function askUdp(
  netns: NetworkNamespace,
  to: SocketAddress,
  connected: boolean,
): Promise<string> {
  const v6 = to.ip.includes(":");
  const socket: UdpSocket = createSocket(v6 ? "udp6" : "udp4");
  try {
    socket.bind({ fd: createUdpSocket({ netns, address: { ip: v6 ? "::" : "0.0.0.0", port: 0 } }).fd });
    if (connected) {
      socket.connect(to.port, to.ip);
      await once(socket, "connect");
      socket.send("who");
    } else {
      socket.send("who", to.port, to.ip);
    }
    const [answer, from] = await once(socket, "message", { signal: AbortSignal.timeout(PATIENCE_MS) });
    return `${answer} from ${from.address} ${from.port}`;
  } finally {
    socket.close();
  }
}
