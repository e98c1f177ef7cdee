/** May they? Over one snapshot of roles and bindings. Pure. */
import type { Attempt, Decision } from "../identity/attempt.ts";
import type { UserInfo } from "../identity/user.ts";
import { type PolicyRule, ruleAllows } from "./policy-rule.ts";
import type { Binding, Grant, RbacSnapshot } from "./snapshot.ts";

/** Whoever is in it may do everything, whatever the bindings say: the way back in after a mistake with them. */
export const MASTERS = "system:masters";

export function decideAttempt(snapshot: RbacSnapshot, attempt: Attempt): Decision {
  if (attempt.user.groups.includes(MASTERS)) return { kind: "allowed", reason: "" };
  const namespace = attempt.kind === "resource" ? attempt.namespace : "";
  const dangling: string[] = [];
  for (const grant of snapshot.grants(attempt.user, namespace)) {
    const rules = rulesBehind(snapshot, grant.binding);
    if (rules === undefined) dangling.push(missingRole(grant.binding));
    else if (rules.some((rule) => ruleAllows(rule, attempt)))
      return { kind: "allowed", reason: reasonOf(grant) };
  }
  const reason = dangling.length === 0 ? "" : `RBAC: ${listed([...new Set(dangling)])}`;
  return { kind: "denied", reason };
}

/** Every rule that speaks for the user in a namespace, or at the cluster scope for an empty one. */
export function rulesFor(snapshot: RbacSnapshot, user: UserInfo, namespace: string): readonly PolicyRule[] {
  if (user.groups.includes(MASTERS)) return FULL_AUTHORITY;
  return snapshot.grants(user, namespace).flatMap(({ binding }) => rulesBehind(snapshot, binding) ?? []);
}

export const FULL_AUTHORITY: readonly PolicyRule[] = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"], resourceNames: [], nonResourceUrls: [] },
  { verbs: ["*"], apiGroups: [], resources: [], resourceNames: [], nonResourceUrls: ["*"] },
];

function rulesBehind(snapshot: RbacSnapshot, binding: Binding): readonly PolicyRule[] | undefined {
  return snapshot.rules(binding.role, binding.namespace);
}

function reasonOf({ binding, subject }: Grant): string {
  const name = binding.kind === "RoleBinding" ? `${binding.name}/${binding.namespace}` : binding.name;
  return `RBAC: allowed by ${binding.kind} ${JSON.stringify(name)} of ${binding.role.kind} ${JSON.stringify(binding.role.name)} to ${subject}`;
}

function missingRole({ role }: Binding): string {
  return `${role.kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(role.name)} not found`;
}

function listed(faults: readonly string[]): string {
  return faults.length === 1 ? (faults[0] ?? "") : `[${faults.join(", ")}]`;
}
