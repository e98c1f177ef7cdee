/** Tokens of service accounts: making one (TokenRequest) and asking who holds one (TokenReview). */

import { MeshError } from "@meltemi/runtime";
import type { CallOptions, ServiceAccountToken, TokenRequest, TokenVerdict } from "./client-types.ts";
import type { Exchange } from "./exchange.ts";
import { SERVICE_ACCOUNTS } from "./kinds.ts";
import { objectPath } from "./path.ts";
import { keyOfRef, type ObjectRef } from "./resource-type.ts";

interface TokenRequestAnswer {
  readonly status?: { readonly token?: string; readonly expirationTimestamp?: string };
}

export async function createToken(
  exchange: Exchange,
  serviceAccount: ObjectRef,
  request: TokenRequest,
): Promise<ServiceAccountToken> {
  const action = `create token for ${keyOfRef(serviceAccount)}`;
  const { audiences, expirationSeconds, boundTo, signal, timeoutMs } = request;
  const boundObjectRef = boundTo === undefined ? undefined : { apiVersion: "v1", ...boundTo };
  const body = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { audiences, expirationSeconds, boundObjectRef },
  };
  const path = objectPath(SERVICE_ACCOUNTS, serviceAccount, "token");
  const answer = (await exchange.json({
    action,
    method: "POST",
    path,
    body,
    signal,
    timeoutMs,
  })) as TokenRequestAnswer;
  const expiresAtMs = Date.parse(answer.status?.expirationTimestamp ?? "");
  const token = answer.status?.token;
  if (typeof token !== "string" || token === "" || Number.isNaN(expiresAtMs))
    throw new MeshError("PROTOCOL_VIOLATION", `${action}: the answer holds no token with an expiry`);
  return { token, expiresAtMs };
}

interface TokenReviewAnswer {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly error?: string;
    readonly audiences?: readonly string[];
    readonly user?: {
      readonly username?: string;
      readonly uid?: string;
      readonly groups?: readonly string[];
      readonly extra?: Readonly<Record<string, readonly string[]>>;
    };
  };
}

/** Fails closed: an answer without a user, or for none of the audiences asked for, is a refusal. */
export async function reviewToken(
  exchange: Exchange,
  token: string,
  audiences: readonly string[],
  options: CallOptions,
): Promise<TokenVerdict> {
  const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", spec: { token, audiences } };
  const path = "/apis/authentication.k8s.io/v1/tokenreviews";
  const answer = await exchange.json({ action: "review token", method: "POST", path, body, ...options });
  return parseTokenReview(answer as TokenReviewAnswer, audiences);
}

export function parseTokenReview(answer: TokenReviewAnswer, asked: readonly string[]): TokenVerdict {
  const status = answer.status ?? {};
  const username = status.user?.username ?? "";
  if (status.authenticated !== true || username === "")
    return { kind: "refused", reason: status.error || "the token is not authenticated" };
  const audiences = status.audiences ?? [];
  // A server that does not know audiences leaves them empty: such a token was never checked against ours.
  if (asked.length > 0 && !audiences.some((audience) => asked.includes(audience)))
    return { kind: "refused", reason: `the token is not for ${asked.join(", ")}` };
  return {
    kind: "authenticated",
    username,
    uid: status.user?.uid ?? "",
    groups: status.user?.groups ?? [],
    audiences,
    extra: new Map(Object.entries(status.user?.extra ?? {})),
  };
}
