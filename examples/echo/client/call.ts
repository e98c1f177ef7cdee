/** The calls that a client makes: what is asked, and what came of it. */

export type Call = { readonly id: number; readonly timeoutMs?: number } & (
  | HttpCall
  | GrpcCall
  | WebSocketCall
  | BytesCall
  | TunnelCall
);

export interface HttpCall {
  readonly kind: "http";
  readonly url: string;
  /** Default 1.1; 2 is with prior knowledge. */
  readonly version?: "1.0" | "1.1" | "2";
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** So many requests. Default 1. */
  readonly times?: number;
  /** All on one connection; else each on its own. */
  readonly keep?: boolean;
  /** All at once instead of one after the other. */
  readonly together?: boolean;
  /** Between one and the next. */
  readonly pauseMs?: number;
}

/** `Say` and `Other` answer one message, `Chat` each. */
export interface GrpcCall {
  readonly kind: "grpc";
  /** `host:port`. */
  readonly target: string;
  readonly service?: string;
  readonly method?: "Say" | "Other" | "Chat";
  readonly metadata?: Readonly<Record<string, string>>;
  readonly messages?: readonly string[];
  readonly times?: number;
}

export interface WebSocketCall {
  readonly kind: "websocket";
  readonly url: string;
  readonly messages: readonly string[];
}

/** Sends bytes and reads until the other side ends, or until what was read ends with `until`. */
export interface BytesCall {
  readonly kind: "bytes";
  readonly host: string;
  readonly port: number;
  readonly send: string;
  readonly until?: string;
  /** Within TLS, with this server name; certificates are not checked. */
  readonly serverName?: string;
  readonly times?: number;
}

/** One HTTP/1.1 request in a tunnel (HBONE: CONNECT of HTTP/2 over mutual TLS). A refused tunnel's status is the answer's. */
export interface TunnelCall {
  readonly kind: "tunnel";
  /** `host:port` of the proxy. */
  readonly proxy: string;
  /** What the tunnel is to lead to. */
  readonly authority: string;
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
}

export interface Answer {
  /** HTTP status; of gRPC its code; 0 where there is none. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly trailers: Readonly<Record<string, string>>;
  /** Text, of streams joined by line ends. */
  readonly body: string;
  /** What failed; then the rest is empty or what was there until then. */
  readonly error?: string;
  readonly elapsedMs: number;
}

export interface Answers {
  readonly id: number;
  readonly answers: readonly Answer[];
}
