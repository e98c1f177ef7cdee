/** What `explain` finds out: every hop of a connection, who decides there, and what. Printed as it is by `-o json`. */

/** A policy as one connection or request meets it. */
export interface JudgedPolicy {
  /** `ALLOW`, `DENY`, `AUDIT`, `CUSTOM`. */
  readonly action: string;
  /** `namespace/name`. */
  readonly policy: string;
  /** Undefined: it depends on what is not known here. */
  readonly matches: boolean | undefined;
  /** It changes nothing. */
  readonly dryRun: boolean;
  readonly note?: string;
}

export type Verdict =
  | { readonly kind: "allowed"; readonly reason: string }
  | { readonly kind: "denied"; readonly reason: string; readonly status?: number }
  /** Answered before it reaches the service, by no policy: a redirect, a route that ends there. */
  | { readonly kind: "answered"; readonly reason: string; readonly status: number }
  | { readonly kind: "unknown"; readonly reason: string };

export interface Hop {
  readonly role: "client ztunnel" | "waypoint" | "server ztunnel" | "application";
  /** `<pod>.<namespace>`, or what is known instead. */
  readonly proxy: string;
  readonly node: string;
  /** What it does before it judges, in order. */
  readonly steps: readonly string[];
  /** The identity that it verified of whoever connects; undefined: none. */
  readonly peer?: string;
  /** In the order in which they are asked. */
  readonly policies: readonly JudgedPolicy[];
  readonly verdict: Verdict;
  /** What it does with what it let pass. */
  readonly afterwards: readonly string[];
}

/** What becomes of a connection at one of the endpoints that may be chosen. */
export interface EndpointOutcome {
  readonly endpoint: string;
  readonly verdict: Verdict;
}

export interface Explanation {
  readonly client: { readonly name: string; readonly node: string; readonly identity: string };
  readonly destination: { readonly name: string; readonly address: string };
  readonly request?: { readonly method: string; readonly authority: string; readonly path: string };
  readonly hops: readonly Hop[];
  /** When there are several. */
  readonly endpoints: readonly EndpointOutcome[];
  readonly verdict: Verdict;
}
