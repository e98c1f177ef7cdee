/** A pod of the mesh on namespaces: its applications and its clients are sockets of this process, made inside it. */

import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import {
  connectTcp,
  createTcpListener,
  errnoName,
  type NetworkNamespace,
  openNetworkNamespace,
} from "@meltemi/linux";
import type { Ip, Workload } from "@meltemi/model";
import type { LabPlace } from "@meltemi/testkit";

export interface MeshPod extends Disposable {
  readonly name: string;
  readonly workload: Workload;
  readonly place: LabPlace;
  readonly netns: NetworkNamespace;
  readonly ipv4: Ip;
  readonly ipv6: Ip;
  /** An application on all addresses of the pod, or on `address`; doubles what it gets unless told otherwise. */
  serve(port: number, options?: ServeOptions): Promise<Application>;
  connect(ip: string, port: number): Promise<Client>;
  /** {@link callFrom} this pod. */
  call(ip: string, port: number, text?: string): Promise<string>;
}

interface ServeOptions {
  readonly address?: string;
  readonly handle?: (socket: Socket) => void;
}

export interface Application extends AsyncDisposable {
  /** One entry per connection, oldest first. */
  readonly accepted: readonly { readonly peer: string; readonly local: string }[];
  readonly open: number;
}

/** Longer than anything here takes: a hang is a failure with a name. */
const PATIENCE_MS = 10_000;

export const HELLO = "hello world";
/** What the application makes of it. */
export const ANSWER: string = HELLO + HELLO;

export function createMeshPod(place: LabPlace, workload: Workload): MeshPod {
  const netns = openNetworkNamespace(place.path);
  const applications: Application[] = [];
  return {
    name: workload.name,
    workload,
    place,
    netns,
    ipv4: place.ipv4,
    ipv6: place.ipv6,
    async serve(port, options = {}) {
      const application = await startApplication(netns, port, options);
      applications.push(application);
      return application;
    },
    connect: (ip, port) => connectFrom(netns, ip, port),
    call: (ip, port, text) => callFrom(netns, ip, port, text),
    [Symbol.dispose]() {
      for (const application of applications) void application[Symbol.asyncDispose]();
      netns.close();
    },
  };
}

const bare = (address: string | undefined): string => (address ?? "").replace("::ffff:", "");

function double(socket: Socket): void {
  socket.on("data", (chunk: Buffer) => {
    if (socket.write(Buffer.concat([chunk, chunk]))) return;
    socket.pause();
    socket.once("drain", () => socket.resume());
  });
  socket.on("end", () => socket.end());
}

async function startApplication(
  netns: NetworkNamespace,
  port: number,
  options: ServeOptions,
): Promise<Application> {
  const address = { ip: options.address ?? "::", port };
  const { fd } = createTcpListener({ netns, address, backlog: 4096 });
  const accepted: { peer: string; local: string }[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    accepted.push({ peer: bare(socket.remoteAddress), local: bare(socket.localAddress) });
    (options.handle ?? double)(socket);
  });
  server.listen({ fd });
  await once(server, "listening");
  return {
    accepted,
    get open() {
      return sockets.size;
    },
    async [Symbol.asyncDispose]() {
      if (!server.listening) return;
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, "close");
    },
  };
}

/** A connection that a test holds. */
export interface Client extends Disposable {
  readonly socket: Socket;
  /** Sends `text` and waits for its double; rejects when the connection ends before. */
  exchange(text: string): Promise<void>;
  /** Sends `text` and waits for `count` characters. */
  ask(text: string, count: number): Promise<string>;
  /** Resolves when the connection is over, with the code of the error, or `end`. */
  readonly over: Promise<string>;
}

/** Rejects with the kernel's or Node's error. */
async function connectFrom(netns: NetworkNamespace, ip: string, port: number): Promise<Client> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const socket = await connectTcp({ netns, destination: { ip, port } }, signal);
  return clientOf(socket);
}

function clientOf(socket: Socket): Client {
  let text = "";
  let failure: string | undefined;
  const over = new Promise<string>((resolve) => {
    socket.on("error", (error) => {
      failure = errnoName(error) ?? (error as NodeJS.ErrnoException).code ?? error.message;
    });
    socket.on("end", () => socket.end());
    socket.on("close", () => resolve(failure ?? "end"));
  });
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    text += chunk;
    socket.emit("more");
  });
  const ask: Client["ask"] = async (question, count) => {
    socket.write(question);
    while (text.length < count) {
      if (socket.destroyed || socket.readableEnded)
        throw new Error(`connection over after ${text.length} of ${count} characters: ${await over}`);
      await moreOrClosed(socket).catch((cause: unknown) => {
        throw new Error(`waited for ${count} characters, got ${JSON.stringify(text.slice(0, 100))}`, {
          cause,
        });
      });
    }
    const answer = text.slice(0, count);
    text = text.slice(count);
    return answer;
  };
  return {
    socket,
    ask,
    over,
    async exchange(question) {
      const answer = await ask(question, 2 * question.length);
      if (answer !== question + question) throw new Error(`expected the double, got ${answer}`);
    },
    [Symbol.dispose]: () => socket.destroy(),
  };
}

async function moreOrClosed(socket: Socket): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(PATIENCE_MS)]);
  const waits = ["more", "close"].map((event) => once(socket, event, { signal }));
  await Promise.race(waits).finally(() => stop.abort());
}

/**
 * Sends `text`, ends its side, and gives all that came back. For a connection that failed: what had come, and the code of the
 * error in brackets.
 */
export async function callFrom(
  netns: NetworkNamespace,
  ip: string,
  port: number,
  text: string = HELLO,
): Promise<string> {
  let socket: Socket;
  try {
    socket = await connectTcp({ netns, destination: { ip, port } }, AbortSignal.timeout(PATIENCE_MS));
  } catch (error) {
    return `[${errnoName(error) ?? (error as NodeJS.ErrnoException).code ?? String(error)}]`;
  }
  let answer = "";
  let failure = "";
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    answer += chunk;
  });
  socket.on("error", (error) => {
    failure = `[${(error as NodeJS.ErrnoException).code ?? error.message}]`;
  });
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error("timeout")));
  socket.end(text);
  await new Promise((resolve) => socket.once("close", resolve));
  return answer + failure;
}
