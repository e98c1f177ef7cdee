/**
 * Tokens of service accounts: what is written into them (TokenRequest) and whether one still holds (TokenReview):
 * signature, issuer, times, audience, and that the account, and the pod it is bound to, still exist with the same uid.
 */
import { at, isObject, type JsonObject, listAt, numberAt, textAt } from "../json.ts";
import { isTerminating, type KubeObject, nameOf, namespaceOf, uidOf } from "../kube-object.ts";
import type { TokenSigner } from "./jwt.ts";
import type { UserInfo } from "./user.ts";

export interface TokenOptions {
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly account: KubeObject;
  readonly pod: KubeObject | undefined;
  readonly node: KubeObject | undefined;
  readonly nowMs: number;
  readonly id: string;
}

export function tokenClaims(options: TokenOptions): JsonObject {
  const nowSeconds = Math.floor(options.nowMs / 1000);
  const { account, pod, node } = options;
  const namespace = namespaceOf(account);
  const reference = (object: KubeObject): JsonObject => ({ name: nameOf(object), uid: uidOf(object) });
  return {
    aud: [...options.audiences],
    exp: nowSeconds + options.expirationSeconds,
    iat: nowSeconds,
    nbf: nowSeconds,
    iss: options.issuer,
    jti: options.id,
    sub: `system:serviceaccount:${namespace}:${nameOf(account)}`,
    "kubernetes.io": {
      namespace,
      serviceaccount: reference(account),
      ...(pod === undefined ? {} : { pod: reference(pod) }),
      ...(node === undefined ? {} : { node: reference(node) }),
    },
  };
}

export type Verdict =
  | { readonly kind: "valid"; readonly user: UserInfo; readonly audiences: readonly string[] }
  | { readonly kind: "refused"; readonly why: string };

/** Reads one object as it is now; `resource` is `/pods`, `/serviceaccounts` or `/nodes`. */
export type Lookup = (resource: string, namespace: string, name: string) => KubeObject | undefined;

export interface ReviewOptions {
  readonly signer: TokenSigner;
  readonly issuer: string;
  /** The token must be for at least one of these. */
  readonly audiences: readonly string[];
  readonly nowMs: number;
  readonly lookup: Lookup;
}

const refused = (why: string): Verdict => ({ kind: "refused", why });

export function reviewToken(token: string, options: ReviewOptions): Verdict {
  const claims = options.signer.verify(token);
  if (claims === undefined) return refused("invalid bearer token");
  if (textAt(claims, "iss") !== options.issuer) return refused("token was issued by someone else");
  const nowSeconds = options.nowMs / 1000;
  if (nowSeconds >= (numberAt(claims, "exp") ?? 0)) return refused("service account token has expired");
  if (nowSeconds < (numberAt(claims, "nbf") ?? 0)) return refused("service account token is not valid yet");
  const audiences = listAt(claims, "aud").filter((audience) => typeof audience === "string");
  const shared = audiences.filter((audience) => options.audiences.includes(audience));
  if (shared.length === 0) {
    return refused(
      `token audiences ${JSON.stringify(audiences)} is invalid for the target audiences ${JSON.stringify(options.audiences)}`,
    );
  }
  const bound = claims["kubernetes.io"];
  if (!isObject(bound)) return refused("token has no kubernetes.io claims");
  const fault = boundFault(bound, options.lookup);
  return fault === undefined
    ? { kind: "valid", user: userOf(claims, bound), audiences: shared }
    : refused(fault);
}

function boundFault(bound: JsonObject, lookup: Lookup): string | undefined {
  const namespace = textAt(bound, "namespace") ?? "";
  const account = lookup("/serviceaccounts", namespace, textAt(bound, "serviceaccount", "name") ?? "");
  if (account === undefined || uidOf(account) !== textAt(bound, "serviceaccount", "uid")) {
    return "service account of the token has been deleted or replaced";
  }
  if (isTerminating(account)) return "service account of the token is being deleted";
  if (at(bound, "pod") === undefined) return undefined;
  const pod = lookup("/pods", namespace, textAt(bound, "pod", "name") ?? "");
  if (pod === undefined || uidOf(pod) !== textAt(bound, "pod", "uid")) {
    return "pod that the token is bound to has been deleted or replaced";
  }
  return undefined;
}

function userOf(claims: JsonObject, bound: JsonObject): UserInfo {
  const namespace = textAt(bound, "namespace") ?? "";
  const extra: Record<string, readonly string[]> = {};
  const add = (key: string, value: string | undefined): void => {
    if (value !== undefined) extra[`authentication.kubernetes.io/${key}`] = [value];
  };
  const id = textAt(claims, "jti");
  add("credential-id", id === undefined ? undefined : `JTI=${id}`);
  add("node-name", textAt(bound, "node", "name"));
  add("node-uid", textAt(bound, "node", "uid"));
  add("pod-name", textAt(bound, "pod", "name"));
  add("pod-uid", textAt(bound, "pod", "uid"));
  return {
    username: `system:serviceaccount:${namespace}:${textAt(bound, "serviceaccount", "name") ?? ""}`,
    uid: textAt(bound, "serviceaccount", "uid") ?? "",
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
    extra,
  };
}
