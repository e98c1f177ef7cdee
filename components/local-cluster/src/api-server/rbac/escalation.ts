/**
 * Nobody grants more than they hold: whoever writes a role needs every right in it, and whoever writes a binding every right of
 * its role, or the verb `escalate` on the role, or `bind` on it.
 */
import type { Authorize, ResourceAttempt } from "../identity/attempt.ts";
import type { UserInfo } from "../identity/user.ts";
import { isObject, type Json, sameJson } from "../json.ts";
import { type KubeObject, nameOf, namespaceOf } from "../kube-object.ts";
import { forbidden, notFound, type Refusal, type Subject } from "../refusal.ts";
import { type Authorizer, RBAC_GROUP } from "./authorizer.ts";
import { FULL_AUTHORITY, MASTERS, rulesFor } from "./decide.ts";
import { type PolicyRule, quotedList, rulesOf, ruleText, uncovered } from "./policy-rule.ts";
import { type RbacSnapshot, roleReference } from "./snapshot.ts";

export interface Grant {
  readonly user: UserInfo;
  /** What is written, and what was there before. */
  readonly object: KubeObject;
  readonly previous: KubeObject | undefined;
  readonly plural: string;
}

/** @throws Refusal 403 when the object would grant what its writer does not hold; objects of other kinds pass */
export function refuseEscalation({ authorize, current }: Authorizer, grant: Grant): void {
  const { user, object, previous } = grant;
  if (user.groups.includes(MASTERS)) return;
  if (previous !== undefined && sameJson(withoutOwnership(object), withoutOwnership(previous))) return;
  if (ROLES.has(grant.plural)) refuseRole(authorize, current(), grant);
  else if (BINDINGS.has(grant.plural)) refuseBinding(authorize, current(), grant);
}

const ROLES = new Set(["roles", "clusterroles"]);
const BINDINGS = new Set(["rolebindings", "clusterrolebindings"]);

function refuseRole(authorize: Authorize, snapshot: RbacSnapshot, grant: Grant): void {
  const { user, object, plural } = grant;
  const namespace = namespaceOf(object);
  const attempt = attemptOn(user, "escalate", plural, namespace, nameOf(object));
  if (authorize(attempt).kind === "allowed") return;
  const held = rulesFor(snapshot, user, namespace);
  const subject = { group: RBAC_GROUP, resource: plural, name: nameOf(object) };
  if (isObject(object["aggregationRule"])) {
    const missing = uncovered(held, FULL_AUTHORITY);
    if (missing.length > 0)
      throw refusal(
        subject,
        user,
        missing,
        "must have cluster-admin privileges to use the aggregationRule: ",
      );
  }
  const missing = uncovered(held, rulesOf(object));
  if (missing.length > 0) throw refusal(subject, user, missing, "");
}

function refuseBinding(authorize: Authorize, snapshot: RbacSnapshot, grant: Grant): void {
  const { user, object, plural } = grant;
  const namespace = namespaceOf(object);
  const role = roleReference(object);
  const rolePlural = role.kind === "ClusterRole" ? "clusterroles" : "roles";
  if (authorize(attemptOn(user, "bind", rolePlural, namespace, role.name)).kind === "allowed") return;
  const rules = snapshot.rules(role, namespace);
  if (rules === undefined) throw notFound({ group: RBAC_GROUP, resource: rolePlural, name: role.name });
  const missing = uncovered(rulesFor(snapshot, user, namespace), rules);
  if (missing.length > 0)
    throw refusal({ group: RBAC_GROUP, resource: plural, name: nameOf(object) }, user, missing, "");
}

function attemptOn(
  user: UserInfo,
  verb: string,
  resource: string,
  namespace: string,
  name: string,
): ResourceAttempt {
  return { kind: "resource", user, verb, group: RBAC_GROUP, resource, subresource: "", namespace, name };
}

function refusal(subject: Subject, user: UserInfo, missing: readonly PolicyRule[], prefix: string): Refusal {
  const who = `user ${JSON.stringify(user.username)} (groups=${quotedList(user.groups)})`;
  const rights = missing.map(ruleText).toSorted().join("\n");
  return forbidden(
    subject,
    `${prefix}${who} is attempting to grant RBAC permissions not currently held:\n${rights}`,
  );
}

/** A garbage collector changes nothing else, and holds none of the rights. */
function withoutOwnership(object: KubeObject): Json {
  const { metadata, ...rest } = object;
  const { finalizers: _, ownerReferences: __, managedFields: ___, resourceVersion: ____, ...kept } = metadata;
  return { ...rest, metadata: kept };
}
