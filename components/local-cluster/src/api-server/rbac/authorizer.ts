/** What kubelets may, then RBAC, over what the store holds now. */
import type { Attempt, Authorize, Decision } from "../identity/attempt.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { decideAttempt } from "./decide.ts";
import { NODE_RULES } from "./default-roles.ts";
import { decideNodeAttempt, nodeOf, type PodLookup } from "./node-rights.ts";
import { createSnapshots, type RbacSnapshot } from "./snapshot.ts";

export const RBAC_GROUP = "rbac.authorization.k8s.io";
export const CLUSTER_ROLES: string = `${RBAC_GROUP}/clusterroles`;

export interface Authorizer {
  readonly authorize: Authorize;
  /** The rules of this moment: one consistent world for whoever takes it. */
  current(): RbacSnapshot;
}

export function createAuthorizer(store: Pick<ObjectStore, "get" | "list">): Authorizer {
  const snapshot = createSnapshots();
  const current = (): RbacSnapshot =>
    snapshot({
      roles: store.list(`${RBAC_GROUP}/roles`),
      clusterRoles: store.list(CLUSTER_ROLES),
      roleBindings: store.list(`${RBAC_GROUP}/rolebindings`),
      clusterRoleBindings: store.list(`${RBAC_GROUP}/clusterrolebindings`),
    });
  const pods: PodLookup = {
    in: (namespace) => store.list("/pods", namespace).map(({ object }) => object),
    find: (namespace, name) => store.get("/pods", namespace, name)?.object,
  };
  const asNode = (attempt: Attempt): Decision | undefined => {
    const node = nodeOf(attempt.user);
    if (node === undefined || attempt.kind !== "resource") return undefined;
    return decideNodeAttempt(attempt, node, NODE_RULES, pods);
  };
  return {
    current,
    authorize(attempt) {
      const own = asNode(attempt);
      if (own?.kind === "allowed") return own;
      const decision = decideAttempt(current(), attempt);
      return decision.kind === "denied" && own !== undefined ? own : decision;
    },
  };
}
