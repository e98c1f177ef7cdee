/** Kinds that are asked and answered, not stored: TokenReview, TokenRequest, SelfSubjectReview and the access reviews. */

import { timestamp } from "../timestamp.ts";
import { accessStatus, readAttempt, reviewedUser, rulesStatus } from "./identity/access-reviews.ts";
import type { TokenSigner } from "./identity/jwt.ts";
import { tokenClaims, type Verdict } from "./identity/service-accounts.ts";
import { type UserInfo, userInfoJson } from "./identity/user.ts";
import { at, isObject, type Json, type JsonObject, listAt, numberAt, textAt } from "./json.ts";
import { isTerminating, type KubeObject, nameOf, uidOf } from "./kube-object.ts";
import type { Authorizer } from "./rbac/authorizer.ts";
import { badRequest, conflict, invalid, invalidValue, notFound } from "./refusal.ts";
import type { ObjectStore } from "./store/object-store.ts";

export interface ReviewDeps {
  readonly store: ObjectStore;
  readonly signer: TokenSigner;
  readonly issuer: string;
  /** Audiences of the API server itself. */
  readonly audiences: readonly string[];
  readonly newUid: () => string;
  readonly authorizer: Authorizer;
  readonly nowMs: () => number;
  /** Judges any token this server takes, for the audiences given. */
  readonly judgeToken: (token: string, audiences: readonly string[]) => Verdict;
}

/** The answer to a review of `kind`, with its status filled in. @throws Refusal 400 for a body that is no such review */
export function answerReview(
  deps: ReviewDeps,
  kind: string,
  namespace: string,
  body: Json,
  user: UserInfo,
): JsonObject {
  if (!isObject(body)) throw badRequest(`${kind}: expected an object`);
  const { spec } = body as { spec?: Json };
  const { authorizer } = deps;
  const answer = (status: JsonObject): JsonObject => ({
    ...body,
    kind,
    metadata: body["metadata"] ?? {},
    status,
  });
  switch (kind) {
    case "TokenReview":
      return answer(tokenStatus(deps, spec));
    case "SelfSubjectReview":
      return {
        ...answer({ userInfo: userInfoJson(user) }),
        metadata: { creationTimestamp: timestamp(deps.nowMs()) },
      };
    case "SelfSubjectAccessReview":
      return answer(accessStatus(authorizer.authorize, readAttempt(kind, spec, user, namespace)));
    case "SubjectAccessReview":
    case "LocalSubjectAccessReview":
      return answer(
        accessStatus(authorizer.authorize, readAttempt(kind, spec, reviewedUser(kind, spec), namespace)),
      );
    default:
      return answer(rulesStatus(authorizer.current(), user, textAt(spec, "namespace") ?? ""));
  }
}

function tokenStatus(deps: ReviewDeps, spec: Json | undefined): JsonObject {
  const token = textAt(spec, "token") ?? "";
  if (token === "") throw badRequest("token is required for TokenReview in authentication");
  const asked = listAt(spec, "audiences").map(String);
  const verdict = deps.judgeToken(token, asked.length > 0 ? asked : deps.audiences);
  if (verdict.kind === "refused") return { user: {}, error: verdict.why };
  return { authenticated: true, user: userInfoJson(verdict.user), audiences: [...verdict.audiences] };
}

/** Ten minutes, as in Kubernetes: shorter lives would expire before the kubelet renews them. */
const MIN_TOKEN_SECONDS = 600;
const MAX_TOKEN_SECONDS = 2 ** 32;
const DEFAULT_TOKEN_SECONDS = 3600;

/** POST …/serviceaccounts/<name>/token */
export function issueToken(deps: ReviewDeps, account: KubeObject, namespace: string, body: Json): JsonObject {
  const request = isObject(body) ? body : {};
  const spec = request["spec"];
  const seconds = numberAt(spec, "expirationSeconds") ?? DEFAULT_TOKEN_SECONDS;
  if (seconds < MIN_TOKEN_SECONDS || seconds > MAX_TOKEN_SECONDS) {
    const why =
      seconds < MIN_TOKEN_SECONDS
        ? "may not specify a duration less than 10 minutes"
        : "may not specify a duration larger than 2^32 seconds";
    throw invalid("authentication.k8s.io", "TokenRequest", "", [
      invalidValue("spec.expirationSeconds", seconds, why),
    ]);
  }
  const asked = listAt(spec, "audiences").map(String);
  const audiences = asked.length > 0 ? asked : [...deps.audiences];
  const pod = boundPod(deps.store, spec, account, namespace);
  const nodeName = textAt(pod, "spec", "nodeName") ?? "";
  const nowMs = deps.nowMs();
  const token = deps.signer.sign(
    tokenClaims({
      issuer: deps.issuer,
      audiences,
      expirationSeconds: seconds,
      account,
      pod,
      node: nodeName === "" ? undefined : deps.store.get("/nodes", "", nodeName)?.object,
      nowMs,
      id: deps.newUid(),
    }),
  );
  return {
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    metadata: { name: nameOf(account), namespace, creationTimestamp: timestamp(nowMs) },
    spec: { ...(isObject(spec) ? spec : {}), audiences, expirationSeconds: seconds },
    status: { token, expirationTimestamp: timestamp(nowMs + seconds * 1000) },
  };
}

function boundPod(
  store: ObjectStore,
  spec: Json | undefined,
  account: KubeObject,
  namespace: string,
): KubeObject | undefined {
  const reference = at(spec, "boundObjectRef");
  if (!isObject(reference)) return undefined;
  if (textAt(reference, "kind") !== "Pod") {
    throw badRequest(
      `TokenRequest: spec.boundObjectRef: expected a Pod, got ${JSON.stringify(textAt(reference, "kind") ?? "")}`,
    );
  }
  const name = textAt(reference, "name") ?? "";
  const subject = { group: "", resource: "pods", name };
  const pod = store.get("/pods", namespace, name)?.object;
  if (pod === undefined) throw notFound(subject);
  const uid = textAt(reference, "uid") ?? "";
  if (uid !== "" && uid !== uidOf(pod)) {
    throw conflict(
      subject,
      `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
  if (textAt(pod, "spec", "serviceAccountName") !== nameOf(account)) {
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(nameOf(account))} to pod running with different serviceaccount name.`,
    );
  }
  if (isTerminating(pod) && pod.metadata["deletionGracePeriodSeconds"] === 0) throw notFound(subject);
  return pod;
}
