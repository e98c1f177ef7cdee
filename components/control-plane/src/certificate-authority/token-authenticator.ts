/** Who holds a bearer token, asked of the API server (TokenReview) and remembered briefly. */

import { createHash } from "node:crypto";
import type { KubernetesClient, TokenVerdict } from "@meltemi/kubernetes";
import { type Clock, describeError } from "@meltemi/runtime";
import type { Caller } from "./decide-issue.ts";

export type Authentication =
  | { readonly kind: "authenticated"; readonly caller: Caller }
  | { readonly kind: "refused"; readonly reason: string }
  /** The API server did not answer, or too many ask at once: not the caller's fault, and no entry either. */
  | { readonly kind: "unavailable"; readonly reason: string };

export interface TokenAuthenticator {
  /** `headers`: all values of `authorization`. Anything but one bearer token is refused unasked. */
  authenticate(headers: readonly string[]): Promise<Authentication>;
}

export interface TokenAuthenticatorOptions {
  /** The token must be meant for one of these (`TOKEN_AUDIENCES`). */
  readonly audiences: readonly string[];
}

/** A deleted pod's token may be used for this much longer; a node starting up asks a hundred times with one token. */
const ACCEPTED_FOR_MS = 30_000;
/** Long enough to take the load of a client that repeats itself, short enough for a clock or API server that recovers. */
const REFUSED_FOR_MS = 5_000;
/** Every node and gateway of a large mesh; about 300 bytes each. */
const MAX_REMEMBERED = 10_000;
/** The API server limits us anyway; beyond this callers are told to come back. */
const MAX_REVIEWS_UNDER_WAY = 64;
const MAX_TOKEN_CHARACTERS = 8 * 1024;
const REVIEW_TIMEOUT_MS = 5_000;

interface Remembered {
  readonly answer: Promise<Authentication>;
  /** Undefined while the review is under way. */
  untilMs: number | undefined;
}

export function createTokenAuthenticator(
  options: TokenAuthenticatorOptions,
  deps: { readonly client: Pick<KubernetesClient, "reviewToken">; readonly clock: Clock },
): TokenAuthenticator {
  const remembered = new Map<string, Remembered>();
  let underWay = 0;
  const review = async (token: string): Promise<Authentication> => {
    underWay++;
    try {
      const verdict = await deps.client.reviewToken(token, options.audiences, {
        timeoutMs: REVIEW_TIMEOUT_MS,
      });
      return judgeVerdict(verdict, options.audiences);
    } catch (error) {
      return { kind: "unavailable", reason: describeError(error) };
    } finally {
      underWay--;
    }
  };
  return {
    async authenticate(headers) {
      const token = bearerToken(headers);
      if (token === undefined) return { kind: "refused", reason: "expected one bearer token" };
      // The token itself is not kept: whoever reads this process's memory later finds a hash.
      const key = createHash("sha256").update(token).digest("base64");
      const known = remembered.get(key);
      if (known !== undefined && (known.untilMs === undefined || known.untilMs > deps.clock.monotonicMs()))
        return await known.answer;
      if (underWay >= MAX_REVIEWS_UNDER_WAY)
        return { kind: "unavailable", reason: `${MAX_REVIEWS_UNDER_WAY} token reviews under way` };
      const entry: Remembered = { answer: review(token), untilMs: undefined };
      remembered.delete(key);
      remembered.set(key, entry);
      dropOldest(remembered);
      const answer = await entry.answer;
      if (answer.kind === "unavailable") remembered.delete(key);
      else
        entry.untilMs =
          deps.clock.monotonicMs() + (answer.kind === "authenticated" ? ACCEPTED_FOR_MS : REFUSED_FOR_MS);
      return answer;
    },
  };
}

/** Reads the caller out of a review; a user, a node or a token for somebody else is refused. */
export function judgeVerdict(verdict: TokenVerdict, audiences: readonly string[]): Authentication {
  if (verdict.kind === "refused") return { kind: "refused", reason: verdict.reason };
  // An API server that does not know audiences leaves them out: then the token was meant for itself, not for us.
  if (!verdict.audiences.some((audience) => audiences.includes(audience)))
    return { kind: "refused", reason: `token is for ${verdict.audiences.join(",") || "no audience"}` };
  const [system, kind, namespace, serviceAccount, ...rest] = verdict.username.split(":");
  if (system !== "system" || kind !== "serviceaccount" || !namespace || !serviceAccount || rest.length > 0)
    return { kind: "refused", reason: `${verdict.username} is no service account` };
  const name = verdict.extra.get("authentication.kubernetes.io/pod-name")?.[0];
  const uid = verdict.extra.get("authentication.kubernetes.io/pod-uid")?.[0];
  const pod = name !== undefined && uid !== undefined ? { pod: { name, uid } } : {};
  return { kind: "authenticated", caller: { namespace, serviceAccount, ...pod } };
}

function bearerToken(headers: readonly string[]): string | undefined {
  const [header, ...more] = headers;
  if (header === undefined || more.length > 0 || header.length > MAX_TOKEN_CHARACTERS) return undefined;
  return /^Bearer ([\x21-\x7e]+)$/i.exec(header)?.[1];
}

function dropOldest(remembered: Map<string, unknown>): void {
  if (remembered.size <= MAX_REMEMBERED) return;
  for (const key of remembered.keys()) {
    remembered.delete(key);
    return;
  }
}
