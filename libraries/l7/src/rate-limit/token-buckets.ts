/** Token buckets of one limit, one per combination of values: pure but for what they hold; time is an argument. */

export interface BucketOptions {
  readonly requests: number;
  readonly perMs: number;
  /** The most that a bucket holds. */
  readonly burst: number;
}

export interface Take {
  readonly allowed: boolean;
  /** Whole tokens that are left. */
  readonly remaining: number;
  /** Until there is another one. */
  readonly waitMs: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/**
 * Combinations that are counted at once, in each of two generations; some 200 bytes each. Beyond it those that were not used for
 * longest start anew: whoever can make up so many values has as many buckets anyway.
 */
const MAX_BUCKETS = 10_000;
/** A longer combination is counted by its digest. */
const MAX_KEY_LENGTH = 128;

export class TokenBuckets {
  readonly #options: BucketOptions;
  readonly #digest: (text: string) => string;
  #young = new Map<string, Bucket>();
  #old = new Map<string, Bucket>();

  /** `digest`: of fixed length, and without collisions that anyone can find. */
  constructor(options: BucketOptions, digest: (text: string) => string) {
    this.#options = options;
    this.#digest = digest;
  }

  take(combination: string, nowMs: number): Take {
    const { requests, perMs, burst } = this.#options;
    const key = combination.length > MAX_KEY_LENGTH ? this.#digest(combination) : combination;
    const bucket = this.#find(key) ?? this.#add(key, { tokens: burst, atMs: nowMs });
    const perToken = perMs / requests;
    bucket.tokens = Math.min(burst, bucket.tokens + (nowMs - bucket.atMs) / perToken);
    bucket.atMs = nowMs;
    const allowed = bucket.tokens >= 1;
    if (allowed) bucket.tokens -= 1;
    const remaining = Math.floor(bucket.tokens);
    return { allowed, remaining, waitMs: (remaining + 1 - bucket.tokens) * perToken };
  }

  #find(key: string): Bucket | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    return old && this.#add(key, old);
  }

  #add(key: string, bucket: Bucket): Bucket {
    if (this.#young.size >= MAX_BUCKETS) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, bucket);
    return bucket;
  }
}
