/** Starts the TCP server program inside a place of a lab. */

import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { LabPlace } from "./netns-lab.ts";

export interface TcpServerOptions {
  /** Default 0: any free one. */
  readonly port?: number;
  /** Default `echo`. `double` sends every chunk twice, `discard` only reads. */
  readonly mode?: "echo" | "double" | "discard";
  /** Default `::`, which takes IPv4 as well. */
  readonly address?: string;
}

export interface TcpServer {
  readonly port: number;
  readonly pid: number;
  /** One entry per connection: whom the server saw, and on which of its addresses. */
  readonly accepted: readonly { readonly peer: string; readonly local: string }[];
  stop(): void;
}

/** Resolves when it listens; rejects with what it said when it does not. */
export async function startTcpServer(place: LabPlace, options: TcpServerOptions = {}): Promise<TcpServer> {
  const program = fileURLToPath(new URL("./tcp-server.main.ts", import.meta.url));
  const { port = 0, mode = "echo", address = "::" } = options;
  const child = place.spawn([process.execPath, program, String(port), mode, address]);
  const accepted: { peer: string; local: string }[] = [];
  let complaint = "";
  child.stderr?.on("data", (chunk) => {
    complaint += String(chunk);
  });
  const listening = Promise.withResolvers<number>();
  child.once("exit", (code) =>
    listening.reject(new Error(`TCP server in ${place.netns} ended with ${code}: ${complaint}`)),
  );
  child.once("error", (error) => listening.reject(error));
  if (child.stdout === null) throw new TypeError("TCP server: its output is not piped");
  createInterface({ input: child.stdout }).on("line", (line) => {
    const [word, first = "", second = ""] = line.split(" ");
    if (word === "listening") listening.resolve(Number(first));
    if (word === "accepted") accepted.push({ peer: plain(first), local: plain(second) });
  });
  return {
    port: await listening.promise,
    pid: child.pid ?? 0,
    accepted,
    stop: () => void child.kill("SIGKILL"),
  };
}

/** IPv4 as such, not mapped into IPv6. */
function plain(address: string): string {
  return address.replace(/^::ffff:/, "");
}
