/** Who may do what. First width: everyone whom the server knows may do everything; RBAC objects are stored, not asked. */
import { Refusal } from "../refusal.ts";
import type { UserInfo } from "./user.ts";

export interface Attempt {
  readonly user: UserInfo;
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

export type Decision =
  | { readonly kind: "allowed"; readonly reason: string }
  | { readonly kind: "denied"; readonly reason: string };

/** Pure: RBAC's rules would come in as a snapshot beside the attempt, and the answer out as the same union. */
export function authorize(attempt: Attempt): Decision {
  if (attempt.user.groups.includes("system:authenticated")) {
    return { kind: "allowed", reason: "the local cluster trusts every authenticated user" };
  }
  return { kind: "denied", reason: "the user is not authenticated" };
}

/** @throws Refusal 403 */
export function refuseUnauthorized(attempt: Attempt): void {
  const decision = authorize(attempt);
  if (decision.kind === "allowed") return;
  const { user, verb, group, resource } = attempt;
  const what = group === "" ? resource : `${resource}.${group}`;
  const message = `${what} is forbidden: User ${JSON.stringify(user.username)} cannot ${verb} resource ${JSON.stringify(resource)}: ${decision.reason}`;
  throw new Refusal(403, "Forbidden", message, { kind: resource, group });
}
