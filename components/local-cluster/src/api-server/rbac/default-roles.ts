/**
 * The roles and bindings that a cluster has from its first moment: Kubernetes' own (RBAC documentation, "Default roles and role
 * bindings"), as far as the things they speak of exist here. Data.
 */
import type { JsonObject } from "../json.ts";
import { type PolicyRule, ruleJson } from "./policy-rule.ts";
import { AUTOUPDATE } from "./reconcile.ts";

const READ = ["get", "list", "watch"];
const WRITE = ["create", "delete", "deletecollection", "patch", "update"];
const EVERY = ["*"];

function on(groups: string, resources: string, verbs: readonly string[]): PolicyRule {
  return {
    apiGroups: groups.split(" ").map((group) => (group === "core" ? "" : group)),
    resources: resources.split(" "),
    verbs,
    resourceNames: [],
    nonResourceUrls: [],
  };
}

function onPaths(...nonResourceUrls: readonly string[]): PolicyRule {
  return { apiGroups: [], resources: [], resourceNames: [], nonResourceUrls, verbs: ["get"] };
}

interface DefaultRole {
  readonly name: string;
  readonly rules: readonly PolicyRule[];
  /** This role's rules become part of `admin`, `edit` or `view`. */
  readonly aggregatesTo?: "admin" | "edit" | "view";
  /** The rules of all roles with that label are this role's. */
  readonly aggregates?: "admin" | "edit" | "view";
  readonly subjects?: readonly Subject[];
}

interface Subject {
  readonly kind: "Group" | "User";
  readonly name: string;
}

const group = (name: string): Subject => ({ kind: "Group", name });
const user = (name: string): Subject => ({ kind: "User", name });
const AUTHENTICATED = group("system:authenticated");

const WORKLOADS =
  "daemonsets deployments deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale";
const CORE_WRITTEN =
  "configmaps endpoints persistentvolumeclaims pods replicationcontrollers replicationcontrollers/scale secrets serviceaccounts services";
const CORE_READ = `${CORE_WRITTEN.replace(" secrets", "")} persistentvolumeclaims/status pods/log pods/status services/status bindings events limitranges namespaces namespaces/status resourcequotas resourcequotas/status`;

const VIEW: readonly PolicyRule[] = [
  on("core", CORE_READ, READ),
  on("discovery.k8s.io", "endpointslices", READ),
  on(
    "apps",
    `controllerrevisions ${WORKLOADS} daemonsets/status deployments/status replicasets/status statefulsets/status`,
    READ,
  ),
  on("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", READ),
  on("batch", "cronjobs cronjobs/status jobs jobs/status", READ),
  on("policy", "poddisruptionbudgets poddisruptionbudgets/status", READ),
  on("networking.k8s.io", "ingresses ingresses/status networkpolicies", READ),
];

const EDIT: readonly PolicyRule[] = [
  on("core", "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy", READ),
  on("core", "serviceaccounts", ["impersonate"]),
  on(
    "core",
    `${CORE_WRITTEN} pods/attach pods/exec pods/portforward pods/proxy services/proxy events`,
    WRITE,
  ),
  on("core", "pods/eviction serviceaccounts/token", ["create"]),
  on("apps", WORKLOADS, WRITE),
  on("apps", "deployments/rollback", WRITE),
  on("autoscaling", "horizontalpodautoscalers", WRITE),
  on("batch", "cronjobs jobs", WRITE),
  on("policy", "poddisruptionbudgets", WRITE),
  on("networking.k8s.io", "ingresses networkpolicies", WRITE),
  on("coordination.k8s.io", "leases", [...WRITE, ...READ]),
];

const ADMIN: readonly PolicyRule[] = [
  on("authorization.k8s.io", "localsubjectaccessreviews", ["create"]),
  on("rbac.authorization.k8s.io", "rolebindings roles", [...WRITE, ...READ]),
];

/** Of kubelets, on what is theirs. */
export const NODE_RULES: readonly PolicyRule[] = [
  on("authentication.k8s.io", "tokenreviews", ["create"]),
  on("authorization.k8s.io", "subjectaccessreviews localsubjectaccessreviews", ["create"]),
  on("core", "services", READ),
  on("core", "nodes", ["create", ...READ, "update", "patch"]),
  on("core", "nodes/status", ["update", "patch"]),
  on("core events.k8s.io", "events", ["create", "update", "patch"]),
  on("core", "pods", [...READ, "create", "delete"]),
  on("core", "pods/status", ["update", "patch"]),
  on("core", "pods/eviction", ["create"]),
  on("core", "configmaps secrets", READ),
  on("core", "serviceaccounts/token", ["create"]),
  on("coordination.k8s.io", "leases", ["get", "create", "update", "patch", "delete"]),
];

const VERSION_AND_HEALTH = ["/healthz", "/livez", "/readyz", "/version", "/version/"];

const ROLES: readonly DefaultRole[] = [
  {
    name: "cluster-admin",
    rules: [on("*", "*", EVERY), { ...onPaths("*"), verbs: EVERY }],
    subjects: [group("system:masters")],
  },
  { name: "admin", rules: [], aggregates: "admin" },
  { name: "edit", rules: [], aggregates: "edit", aggregatesTo: "admin" },
  { name: "view", rules: [], aggregates: "view", aggregatesTo: "edit" },
  { name: "system:aggregate-to-admin", rules: ADMIN, aggregatesTo: "admin" },
  { name: "system:aggregate-to-edit", rules: EDIT, aggregatesTo: "edit" },
  { name: "system:aggregate-to-view", rules: VIEW, aggregatesTo: "view" },
  {
    name: "system:discovery",
    rules: [onPaths("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", ...VERSION_AND_HEALTH)],
    subjects: [AUTHENTICATED],
  },
  {
    name: "system:basic-user",
    rules: [
      on("authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", ["create"]),
      on("authentication.k8s.io", "selfsubjectreviews", ["create"]),
    ],
    subjects: [AUTHENTICATED],
  },
  {
    name: "system:public-info-viewer",
    rules: [onPaths(...VERSION_AND_HEALTH)],
    subjects: [AUTHENTICATED, group("system:unauthenticated")],
  },
  {
    name: "system:service-account-issuer-discovery",
    rules: [
      onPaths(
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/",
        "/openid/v1/jwks",
        "/openid/v1/jwks/",
      ),
    ],
    subjects: [group("system:serviceaccounts")],
  },
  {
    name: "system:auth-delegator",
    rules: [
      on("authentication.k8s.io", "tokenreviews", ["create"]),
      on("authorization.k8s.io", "subjectaccessreviews", ["create"]),
    ],
  },
  {
    name: "system:monitoring",
    rules: [onPaths("/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/readyz", "/readyz/*")],
    subjects: [group("system:monitoring")],
  },
  {
    name: "system:node",
    rules: NODE_RULES,
    // Nobody is bound to it: kubelets have these rights on their own objects only, by node-rights.ts.
    subjects: [],
  },
  {
    // Every kind, those of CRDs included: its garbage collector and namespace controller delete them all. It grants nothing:
    // `escalate`, `bind` and `impersonate` are verbs of their own.
    name: "system:kube-controller-manager",
    rules: [on("*", "*", [...READ, ...WRITE])],
    subjects: [user("system:kube-controller-manager")],
  },
  {
    name: "system:kube-scheduler",
    rules: [
      on("core events.k8s.io", "events", ["create", "patch", "update"]),
      on("coordination.k8s.io", "leases", ["create", "get", "list", "watch", "update"]),
      on(
        "core",
        "nodes namespaces services replicationcontrollers persistentvolumeclaims persistentvolumes",
        READ,
      ),
      on("core", "pods", ["delete", ...READ]),
      on("core", "bindings pods/binding", ["create"]),
      on("core", "pods/status", ["patch", "update"]),
      on("apps", "replicasets statefulsets", READ),
      on("policy", "poddisruptionbudgets", READ),
    ],
    subjects: [user("system:kube-scheduler")],
  },
];

export interface DefaultObject {
  readonly plural: "clusterroles" | "clusterrolebindings";
  readonly object: JsonObject;
}

const GROUP = "rbac.authorization.k8s.io";

/** ClusterRoles and ClusterRoleBindings to make where they are missing. */
export function defaultRbacObjects(): readonly DefaultObject[] {
  return ROLES.flatMap((role): DefaultObject[] => {
    const { name, subjects } = role;
    const made: DefaultObject = { plural: "clusterroles", object: clusterRole(role) };
    if (subjects === undefined) return [made];
    const binding = {
      metadata: metadataOf(name, {}),
      roleRef: { apiGroup: GROUP, kind: "ClusterRole", name },
      subjects: subjects.map((subject) => ({ apiGroup: GROUP, ...subject })),
    };
    return [made, { plural: "clusterrolebindings", object: binding }];
  });
}

function clusterRole({ name, rules, aggregates, aggregatesTo }: DefaultRole): JsonObject {
  const labels = aggregatesTo === undefined ? {} : { [`${GROUP}/aggregate-to-${aggregatesTo}`]: "true" };
  const selector = { matchLabels: { [`${GROUP}/aggregate-to-${aggregates}`]: "true" } };
  return {
    metadata: metadataOf(name, labels),
    ...(aggregates === undefined ? {} : { aggregationRule: { clusterRoleSelectors: [selector] } }),
    rules: rules.map(ruleJson),
  };
}

function metadataOf(name: string, labels: JsonObject): JsonObject {
  return {
    name,
    annotations: { [AUTOUPDATE]: "true" },
    labels: { "kubernetes.io/bootstrapping": "rbac-defaults", ...labels },
  };
}
