/** Passes queries that are not the cluster's on to the machine's resolvers. */

import { createSocket } from "node:dgram";
import { isIP } from "node:net";

export interface Upstream {
  /** The answer's bytes, or undefined when there is no resolver or none answered. */
  ask(query: Buffer): Promise<Buffer | undefined>;
}

export interface UpstreamOptions {
  /** IP addresses, tried in turn. */
  readonly servers: readonly string[];
  readonly timeoutMs?: number;
  readonly port?: number;
}

const TIMEOUT_MS = 2000;
/** Queries waiting for an answer; beyond it a query fails at once, so that a dead resolver cannot eat all sockets. */
const MAX_PENDING = 256;

export function createUpstream(options: UpstreamOptions): Upstream {
  let pending = 0;
  return {
    async ask(query) {
      if (pending >= MAX_PENDING) return undefined;
      pending += 1;
      try {
        for (const server of options.servers) {
          const answer = await askOne(server, options.port ?? 53, query, options.timeoutMs ?? TIMEOUT_MS);
          if (answer !== undefined) return answer;
        }
        return undefined;
      } finally {
        pending -= 1;
      }
    },
  };
}

/** A socket per query: its random port is half of the protection against forged answers, the id the other half. */
function askOne(server: string, port: number, query: Buffer, timeoutMs: number): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIP(server) === 6 ? "udp6" : "udp4");
    const finish = (answer: Buffer | undefined): void => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => finish(undefined), timeoutMs);
    socket.on("error", () => finish(undefined));
    socket.on("message", (answer) => {
      if (answer.length >= 12 && answer.readUInt16BE(0) === query.readUInt16BE(0)) finish(answer);
    });
    // Connected: the kernel drops what comes from anyone else.
    socket.connect(port, server, () => socket.send(query));
  });
}

/** `nameserver` lines of a resolv.conf; at most three count, as for the C library. */
export function parseNameservers(resolvConf: string): readonly string[] {
  const found: string[] = [];
  for (const line of resolvConf.split("\n")) {
    const [keyword, address = ""] = line.trim().split(/\s+/);
    if (keyword === "nameserver" && isIP(address) !== 0) found.push(address);
  }
  return found.slice(0, 3);
}
