/** What somebody tries to do, as an authorizer judges it, and how its refusal is worded. Pure. */
import { Refusal } from "../refusal.ts";
import type { UserInfo } from "./user.ts";

export interface ResourceAttempt {
  readonly kind: "resource";
  readonly user: UserInfo;
  readonly verb: string;
  readonly group: string;
  /** Plural name, without the subresource. */
  readonly resource: string;
  /** Empty for the resource itself. */
  readonly subresource: string;
  /** Empty at the cluster scope. */
  readonly namespace: string;
  /** Empty for a collection. */
  readonly name: string;
}

export interface PathAttempt {
  readonly kind: "path";
  readonly user: UserInfo;
  /** The HTTP method in lower case. */
  readonly verb: string;
  readonly path: string;
}

export type Attempt = ResourceAttempt | PathAttempt;

export type Decision =
  | { readonly kind: "allowed"; readonly reason: string }
  /** `reason` is empty when simply nothing allows it, as in Kubernetes. */
  | { readonly kind: "denied"; readonly reason: string };

/** Judges an attempt by the rules of this moment. */
export type Authorize = (attempt: Attempt) => Decision;

/** @throws Refusal 403 with Kubernetes' wording */
export function refuseUnless(authorize: Authorize, attempt: Attempt): void {
  const decision = authorize(attempt);
  if (decision.kind === "denied") throw forbiddenAttempt(attempt, decision.reason);
}

/** 403, worded as kube-apiserver words it: clients and people search logs for these sentences. */
export function forbiddenAttempt(attempt: Attempt, reason: string): Refusal {
  const why = `${sentenceOf(attempt)}${reason === "" ? "" : `: ${reason}`}`;
  if (attempt.kind === "path") return new Refusal(403, "Forbidden", `forbidden: ${why}`);
  const { group, resource, name } = attempt;
  const qualified = group === "" ? resource : `${resource}.${group}`;
  const subject = name === "" ? qualified : `${qualified} ${JSON.stringify(name)}`;
  return new Refusal(403, "Forbidden", `${subject} is forbidden: ${why}`, {
    ...(name === "" ? {} : { name }),
    ...(group === "" ? {} : { group }),
    kind: resource,
  });
}

function sentenceOf(attempt: Attempt): string {
  const who = `User ${JSON.stringify(attempt.user.username)} cannot ${attempt.verb}`;
  if (attempt.kind === "path") return `${who} path ${JSON.stringify(attempt.path)}`;
  const { group, resource, subresource, namespace } = attempt;
  const what = subresource === "" ? resource : `${resource}/${subresource}`;
  const where = namespace === "" ? "at the cluster scope" : `in the namespace ${JSON.stringify(namespace)}`;
  return `${who} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${where}`;
}
