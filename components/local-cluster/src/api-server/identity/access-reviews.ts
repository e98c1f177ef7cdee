/** SubjectAccessReview and its relatives: `kubectl auth can-i`, and whoever asks the API server to judge for them. Pure. */
import { at, isObject, type Json, type JsonObject, listAt, textAt } from "../json.ts";
import { rulesFor } from "../rbac/decide.ts";
import { type PolicyRule, ruleJson } from "../rbac/policy-rule.ts";
import type { RbacSnapshot } from "../rbac/snapshot.ts";
import { badRequest, type Cause, invalid, invalidValue } from "../refusal.ts";
import type { Attempt, Authorize } from "./attempt.ts";
import type { UserInfo } from "./user.ts";

const GROUP = "authorization.k8s.io";

/** The user that a review is about. @throws Refusal 422 when it names none */
export function reviewedUser(kind: string, spec: Json | undefined): UserInfo {
  const username = textAt(spec, "user") ?? "";
  const groups = listAt(spec, "groups").filter((group) => typeof group === "string");
  if (username === "" && groups.length === 0) {
    throw invalid(GROUP, kind, "", [
      invalidValue("spec.user", username, "at least one of user or group must be specified"),
    ]);
  }
  const extra = Object.entries(asObject(at(spec, "extra"))).map(([key, values]) => [
    key,
    Array.isArray(values) ? values.map(String) : [],
  ]);
  return {
    username,
    uid: textAt(spec, "uid") ?? "",
    groups,
    extra: Object.fromEntries(extra) as UserInfo["extra"],
  };
}

function asObject(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

/**
 * What a review asks about. `namespace` is that of the URL, for the Local kind.
 * @throws Refusal 422 unless it asks about a resource or about a path, 400 for a Local one about another namespace
 */
export function readAttempt(
  kind: string,
  spec: Json | undefined,
  user: UserInfo,
  namespace: string,
): Attempt {
  const resource = at(spec, "resourceAttributes");
  const path = at(spec, "nonResourceAttributes");
  if (isObject(resource) === isObject(path)) throw invalid(GROUP, kind, "", [onlyOne(resource)]);
  if (isObject(path)) {
    if (kind === "LocalSubjectAccessReview") throw invalid(GROUP, kind, "", [pathInNamespace(path)]);
    return { kind: "path", user, verb: textAt(path, "verb") ?? "", path: textAt(path, "path") ?? "" };
  }
  const text = (key: string): string => textAt(resource, key) ?? "";
  if (kind === "LocalSubjectAccessReview" && text("namespace") !== namespace) {
    throw badRequest(
      `spec.resourceAttributes.namespace must match namespace: ${JSON.stringify(text("namespace"))} is not ${JSON.stringify(namespace)}`,
    );
  }
  return {
    kind: "resource",
    user,
    verb: text("verb"),
    group: text("group"),
    resource: text("resource"),
    subresource: text("subresource"),
    namespace: text("namespace"),
    name: text("name"),
  };
}

function onlyOne(resource: Json | undefined): Cause {
  const why = isObject(resource)
    ? "cannot be specified in combination with resourceAttributes"
    : "exactly one of nonResourceAttributes or resourceAttributes must be specified";
  const field = isObject(resource) ? "spec.nonResourceAttributes" : "spec.resourceAttributes";
  return invalidValue(field, resource ?? null, why);
}

function pathInNamespace(path: JsonObject): Cause {
  return invalidValue("spec.nonResourceAttributes", path, "disallowed on this kind of request");
}

/** `status` of an access review. */
export function accessStatus(authorize: Authorize, attempt: Attempt): JsonObject {
  const { kind, reason } = authorize(attempt);
  return { allowed: kind === "allowed", ...(reason === "" ? {} : { reason }) };
}

/** `status` of a SelfSubjectRulesReview: every rule that speaks for the user in the namespace. */
export function rulesStatus(snapshot: RbacSnapshot, user: UserInfo, namespace: string): JsonObject {
  if (namespace === "") throw badRequest("no namespace on request");
  const rules = rulesFor(snapshot, user, namespace);
  return {
    resourceRules: rules.flatMap((rule) =>
      rule.resources.length === 0 ? [] : [ruleJson(onResources(rule))],
    ),
    nonResourceRules: rules.flatMap((rule) =>
      rule.nonResourceUrls.length === 0
        ? []
        : [{ nonResourceURLs: [...rule.nonResourceUrls], verbs: [...rule.verbs] }],
    ),
    incomplete: false,
  };
}

function onResources(rule: PolicyRule): PolicyRule {
  return { ...rule, nonResourceUrls: [] };
}
