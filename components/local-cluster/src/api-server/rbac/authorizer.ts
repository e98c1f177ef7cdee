/** RBAC over what the store holds now. */
import type { Authorize } from "../identity/attempt.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { decideAttempt } from "./decide.ts";
import { createSnapshots, type RbacSnapshot } from "./snapshot.ts";

export const RBAC_GROUP = "rbac.authorization.k8s.io";
export const CLUSTER_ROLES: string = `${RBAC_GROUP}/clusterroles`;

export interface Authorizer {
  readonly authorize: Authorize;
  /** The rules of this moment: one consistent world for whoever takes it. */
  current(): RbacSnapshot;
}

export function createAuthorizer(store: Pick<ObjectStore, "list">): Authorizer {
  const snapshot = createSnapshots();
  const current = (): RbacSnapshot =>
    snapshot({
      roles: store.list(`${RBAC_GROUP}/roles`),
      clusterRoles: store.list(CLUSTER_ROLES),
      roleBindings: store.list(`${RBAC_GROUP}/rolebindings`),
      clusterRoleBindings: store.list(`${RBAC_GROUP}/clusterrolebindings`),
    });
  return { current, authorize: (attempt) => decideAttempt(current(), attempt) };
}
