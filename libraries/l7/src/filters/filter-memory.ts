/** What filters remember from one configuration to the next: verified tokens, imported keys, how full buckets are, and what was counted. */

import { createHash } from "node:crypto";
import type { JwtRule, RateLimit } from "@meltemi/model/l7";
import type { Clock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { KnownTokens } from "../authentication/known-tokens.ts";
import { TokenVerifier } from "../authentication/token-verifier.ts";
import { type BucketOptions, TokenBuckets } from "../rate-limit/token-buckets.ts";
import { readKeySet } from "../signatures/key-set.ts";
import { FilterMeter } from "./filter-meter.ts";

/** Rules of all services that are kept over a change; one takes a few KiB, more than these are compiled again. */
const MAX_VERIFIERS = 1024;
/** Local limits of all services. */
const MAX_LIMITS = 4096;

export class FilterMemory {
  readonly clock: Clock;
  readonly meter: FilterMeter;
  readonly #tokens = new KnownTokens();
  readonly #verifiers = new Map<string, TokenVerifier>();
  readonly #buckets = new Map<string, TokenBuckets>();

  /** Without a meter nobody looks at what is counted. */
  constructor(deps: { readonly clock: Clock; readonly meter?: FilterMeter }) {
    this.clock = deps.clock;
    this.meter =
      deps.meter ?? new FilterMeter({ registry: createRegistry(), onUnjudgedPass: () => undefined });
  }

  /** The same for the same rule: importing keys is slow, and the tokens it verified stay verified. */
  verifierOf(rule: JwtRule): TokenVerifier {
    const { issuer, audiences, jwks, spaceDelimitedClaims } = rule;
    const key = JSON.stringify([issuer, audiences, jwks, spaceDelimitedClaims]);
    const make = (): TokenVerifier => new TokenVerifier(rule, readKeySet(jwks), this.#tokens);
    return recall(this.#verifiers, key, make, MAX_VERIFIERS);
  }

  /** The same for the same limit of the same target: a change elsewhere fills no bucket. */
  bucketsOf(scope: string, of: RateLimit, options: BucketOptions): TokenBuckets {
    const key = JSON.stringify([scope, of]);
    const make = (): TokenBuckets => new TokenBuckets(options, digest);
    return recall(this.#buckets, key, make, MAX_LIMITS);
  }
}

/** The last asked for at the end; the first goes when there are too many. */
function recall<T>(known: Map<string, T>, key: string, make: () => T, max: number): T {
  const value = known.get(key) ?? make();
  known.delete(key);
  known.set(key, value);
  const [oldest] = known.keys();
  if (known.size > max && oldest !== undefined) known.delete(oldest);
  return value;
}

function digest(text: string): string {
  return createHash("sha256").update(text, "latin1").digest("base64url");
}
