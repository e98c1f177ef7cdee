/** What the l4 benchmark's parent says to its load generator, and what it hears. */

/** Ports of the application, the same behind every path. */
export const APPLICATION_PORTS = {
  /** Sends back what it gets. */
  echo: 8080,
  /** Compares what it gets with the pattern, and answers how much there was and whether it was right. */
  sink: 8081,
  /** Sends back one message and closes. */
  once: 8082,
} as const;
export type ApplicationPort = keyof typeof APPLICATION_PORTS;

export const MESSAGE_BYTES = { request: 1024, small: 64 } as const;

/** In the server certificate of the authority that gives the ztunnels theirs. */
export const AUTHORITY_NAME = "istiod.istio-system.svc";

export interface Target {
  readonly host: string;
  readonly port: number;
}

export type LoadCommand =
  | {
      readonly kind: "bulk";
      readonly target: Target;
      readonly streams: number;
      /** Of all streams together. */
      readonly bytes: number;
    }
  | {
      readonly kind: "requests";
      readonly target: Target;
      readonly connections: number;
      readonly perSecond: number;
      readonly durationMs: number;
    }
  | {
      readonly kind: "connections";
      readonly target: Target;
      readonly concurrency: number;
      readonly durationMs: number;
    }
  /** Opens connections and keeps them; each has carried one exchange. */
  | { readonly kind: "hold"; readonly target: Target; readonly count: number }
  /** One exchange on every so many held connections, then closes all. */
  | { readonly kind: "release" };

export interface LoadReply {
  /** Every byte was there and right, and nothing was reset. */
  readonly correct: boolean;
  /** Connections opened for this command. */
  readonly opened: number;
  /** What was measured: Gbit/s, or connections per second. */
  readonly rate?: number;
  readonly p50Us?: number;
  readonly p99Us?: number;
  /** CPU time of the load generator itself. */
  readonly cpuSeconds: number;
  readonly fault?: string;
}
