/** Who is calling: the bearer token of a stream or a certificate request, judged by Kubernetes (reference: protocol §4.3). */

import { hash } from "node:crypto";
import type { KubernetesClient, TokenVerdict } from "@meltemi/kubernetes";
import type { Clock } from "@meltemi/runtime";
import { describeError } from "@meltemi/runtime";

export interface Caller {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** The pod that the token is bound to; absent for tokens without one. */
  readonly pod?: { readonly name: string; readonly uid: string };
}

export type Authentication =
  | { readonly kind: "authenticated"; readonly caller: Caller }
  | { readonly kind: "refused"; readonly reason: string }
  /** Kubernetes could not be asked: the caller may try again. */
  | { readonly kind: "unavailable"; readonly reason: string };

export interface AuthenticatorOptions {
  /** `TOKEN_AUDIENCES`: the token must be for one of them. */
  readonly audiences: readonly string[];
}

export interface AuthenticatorDependencies {
  readonly client: Pick<KubernetesClient, "reviewToken">;
  readonly clock: Clock;
}

/** `authorization` as the caller sent it: `Bearer <token>`. */
export type Authenticate = (authorization: string | undefined) => Promise<Authentication>;

/** A node reconnects and asks for certificates in bursts; a revoked token is honoured for no longer than this. */
const GOOD_FOR_MS = 10_000;
/** Nodes of a large cluster, twice; the oldest goes first. */
const MAX_CACHED = 10_000;
/** A projected token is about 1 KiB; more is not one. */
const MAX_TOKEN_LENGTH = 16 * 1024;
/** Reviews under way; a flood of false tokens must not become a flood of requests to Kubernetes. */
const MAX_REVIEWS = 64;

export function createAuthenticator(
  options: AuthenticatorOptions,
  deps: AuthenticatorDependencies,
): Authenticate {
  /** Hash of the token → what was found. Tokens themselves are not kept. */
  const cache = new Map<string, { readonly caller: Caller; readonly untilMs: number }>();
  const underWay = new Map<string, Promise<Authentication>>();

  const review = async (token: string, key: string): Promise<Authentication> => {
    try {
      const result = readVerdict(await deps.client.reviewToken(token, options.audiences));
      if (result.kind === "authenticated") {
        const oldest = cache.size >= MAX_CACHED ? cache.keys().next().value : undefined;
        if (oldest !== undefined) cache.delete(oldest);
        cache.set(key, { caller: result.caller, untilMs: deps.clock.monotonicMs() + GOOD_FOR_MS });
      }
      return result;
    } catch (error) {
      return { kind: "unavailable", reason: describeError(error) };
    } finally {
      underWay.delete(key);
    }
  };

  return async (authorization) => {
    const token = readBearer(authorization);
    if (token === undefined) return { kind: "refused", reason: "expected a bearer token, got none" };
    const key = hash("sha256", token, "base64");
    const known = cache.get(key);
    if (known !== undefined && deps.clock.monotonicMs() < known.untilMs)
      return { kind: "authenticated", caller: known.caller };
    cache.delete(key);
    const running = underWay.get(key);
    if (running !== undefined) return running;
    if (underWay.size >= MAX_REVIEWS) return { kind: "unavailable", reason: "too many token reviews" };
    const started = review(token, key);
    underWay.set(key, started);
    return started;
  };
}

function readBearer(authorization: string | undefined): string | undefined {
  const prefix = "Bearer ";
  if (authorization === undefined || !authorization.startsWith(prefix)) return undefined;
  const token = authorization.slice(prefix.length).trim();
  return token === "" || token.length > MAX_TOKEN_LENGTH ? undefined : token;
}

/** Only service accounts are callers: `system:serviceaccount:<namespace>:<name>`. */
export function readVerdict(verdict: TokenVerdict): Authentication {
  if (verdict.kind === "refused") return { kind: "refused", reason: verdict.reason };
  const [system, kind, namespace, serviceAccount, ...rest] = verdict.username.split(":");
  if (system !== "system" || kind !== "serviceaccount" || !namespace || !serviceAccount || rest.length > 0)
    return { kind: "refused", reason: `expected the token of a service account, got ${verdict.username}` };
  const name = verdict.extra.get("authentication.kubernetes.io/pod-name")?.[0];
  const uid = verdict.extra.get("authentication.kubernetes.io/pod-uid")?.[0];
  const pod = name !== undefined && uid !== undefined ? { pod: { name, uid } } : {};
  return { kind: "authenticated", caller: { namespace, serviceAccount, ...pod } };
}
