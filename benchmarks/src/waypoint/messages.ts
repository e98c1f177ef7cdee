/** What the parent of the waypoint benchmark says to its load generator, and what it hears. */

import type { Entry } from "./traffic.ts";

export interface LoadTarget {
  readonly port: number;
  readonly speaks: "HTTP/1.1" | "HTTP/2";
  /** Of the proxy; zero: no proxy, and v1 answers all. */
  readonly routes: number;
}

export interface Load {
  /** Requests under way at most; with HTTP/2 on an eighth as many connections. */
  readonly concurrency: number;
  readonly durationMs: number;
  /** Absent: each answer is followed by the next request. */
  readonly perSecond?: number;
}

export interface LoadCommand extends Load {
  readonly target: LoadTarget;
}

export interface LoadReply {
  /** Each answer had its status, its body, and the header of the version that the route leads to. */
  readonly correct: boolean;
  readonly answered: number;
  readonly perSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU time of the load generator itself. */
  readonly cpuSeconds: number;
  readonly fault?: string;
}

export function spokenBy(entry: Entry): LoadTarget["speaks"] {
  return entry === "http1" ? "HTTP/1.1" : "HTTP/2";
}
