/** The kinds that the mesh reads or writes. */

import type {
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from "kubernetes-types/admissionregistration/v1.js";
import type { CustomResourceDefinition } from "kubernetes-types/apiextensions/v1.js";
import type {
  ControllerRevision,
  DaemonSet,
  Deployment,
  ReplicaSet,
  StatefulSet,
} from "kubernetes-types/apps/v1.js";
import type { HorizontalPodAutoscaler } from "kubernetes-types/autoscaling/v2.js";
import type { CronJob, Job } from "kubernetes-types/batch/v1.js";
import type { Lease } from "kubernetes-types/coordination/v1.js";
import type {
  ConfigMap,
  Endpoints,
  Event,
  Namespace,
  Node,
  PersistentVolumeClaim,
  Pod,
  Secret,
  Service,
  ServiceAccount,
} from "kubernetes-types/core/v1.js";
import type { EndpointSlice } from "kubernetes-types/discovery/v1.js";
import type { NetworkPolicy } from "kubernetes-types/networking/v1.js";
import type { PodDisruptionBudget } from "kubernetes-types/policy/v1.js";
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from "kubernetes-types/rbac/v1.js";
import type { Gateway, GatewayClass } from "./gateway-types.ts";
import type { CustomObject, KubernetesObject, ResourceType } from "./resource-type.ts";

export type {
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  ControllerRevision,
  CronJob,
  CustomResourceDefinition,
  DaemonSet,
  Deployment,
  EndpointSlice,
  Endpoints,
  Event,
  HorizontalPodAutoscaler,
  Job,
  Lease,
  MutatingWebhookConfiguration,
  Namespace,
  NetworkPolicy,
  Node,
  PersistentVolumeClaim,
  Pod,
  PodDisruptionBudget,
  ReplicaSet,
  Role,
  RoleBinding,
  Secret,
  Service,
  ServiceAccount,
  StatefulSet,
  ValidatingWebhookConfiguration,
};

function namespaced<T extends KubernetesObject>(
  group: string,
  version: string,
  plural: string,
  kind: string,
): ResourceType<T> {
  return { group, version, plural, kind, namespaced: true };
}

function clusterWide<T extends KubernetesObject>(
  group: string,
  version: string,
  plural: string,
  kind: string,
): ResourceType<T> {
  return { group, version, plural, kind, namespaced: false };
}

export const NODES: ResourceType<Node> = clusterWide("", "v1", "nodes", "Node");
export const NAMESPACES: ResourceType<Namespace> = clusterWide("", "v1", "namespaces", "Namespace");
export const PODS: ResourceType<Pod> = namespaced("", "v1", "pods", "Pod");
export const SERVICES: ResourceType<Service> = namespaced("", "v1", "services", "Service");
export const SERVICE_ACCOUNTS: ResourceType<ServiceAccount> = namespaced(
  "",
  "v1",
  "serviceaccounts",
  "ServiceAccount",
);
export const CONFIG_MAPS: ResourceType<ConfigMap> = namespaced("", "v1", "configmaps", "ConfigMap");
export const SECRETS: ResourceType<Secret> = namespaced("", "v1", "secrets", "Secret");
export const EVENTS: ResourceType<Event> = namespaced("", "v1", "events", "Event");
export const ENDPOINTS: ResourceType<Endpoints> = namespaced("", "v1", "endpoints", "Endpoints");
export const PERSISTENT_VOLUME_CLAIMS: ResourceType<PersistentVolumeClaim> = namespaced(
  "",
  "v1",
  "persistentvolumeclaims",
  "PersistentVolumeClaim",
);
export const ENDPOINT_SLICES: ResourceType<EndpointSlice> = namespaced(
  "discovery.k8s.io",
  "v1",
  "endpointslices",
  "EndpointSlice",
);
export const DEPLOYMENTS: ResourceType<Deployment> = namespaced("apps", "v1", "deployments", "Deployment");
export const REPLICA_SETS: ResourceType<ReplicaSet> = namespaced("apps", "v1", "replicasets", "ReplicaSet");
export const DAEMON_SETS: ResourceType<DaemonSet> = namespaced("apps", "v1", "daemonsets", "DaemonSet");
export const STATEFUL_SETS: ResourceType<StatefulSet> = namespaced(
  "apps",
  "v1",
  "statefulsets",
  "StatefulSet",
);
export const CONTROLLER_REVISIONS: ResourceType<ControllerRevision> = namespaced(
  "apps",
  "v1",
  "controllerrevisions",
  "ControllerRevision",
);
export const JOBS: ResourceType<Job> = namespaced("batch", "v1", "jobs", "Job");
export const CRON_JOBS: ResourceType<CronJob> = namespaced("batch", "v1", "cronjobs", "CronJob");
export const LEASES: ResourceType<Lease> = namespaced("coordination.k8s.io", "v1", "leases", "Lease");
export const NETWORK_POLICIES: ResourceType<NetworkPolicy> = namespaced(
  "networking.k8s.io",
  "v1",
  "networkpolicies",
  "NetworkPolicy",
);
export const HORIZONTAL_POD_AUTOSCALERS: ResourceType<HorizontalPodAutoscaler> = namespaced(
  "autoscaling",
  "v2",
  "horizontalpodautoscalers",
  "HorizontalPodAutoscaler",
);
export const POD_DISRUPTION_BUDGETS: ResourceType<PodDisruptionBudget> = namespaced(
  "policy",
  "v1",
  "poddisruptionbudgets",
  "PodDisruptionBudget",
);
const RBAC = "rbac.authorization.k8s.io";
export const ROLES: ResourceType<Role> = namespaced(RBAC, "v1", "roles", "Role");
export const ROLE_BINDINGS: ResourceType<RoleBinding> = namespaced(RBAC, "v1", "rolebindings", "RoleBinding");
export const CLUSTER_ROLES: ResourceType<ClusterRole> = clusterWide(
  RBAC,
  "v1",
  "clusterroles",
  "ClusterRole",
);
export const CLUSTER_ROLE_BINDINGS: ResourceType<ClusterRoleBinding> = clusterWide(
  RBAC,
  "v1",
  "clusterrolebindings",
  "ClusterRoleBinding",
);
export const CUSTOM_RESOURCE_DEFINITIONS: ResourceType<CustomResourceDefinition> = clusterWide(
  "apiextensions.k8s.io",
  "v1",
  "customresourcedefinitions",
  "CustomResourceDefinition",
);
const ADMISSION = "admissionregistration.k8s.io";
export const MUTATING_WEBHOOKS: ResourceType<MutatingWebhookConfiguration> = clusterWide(
  ADMISSION,
  "v1",
  "mutatingwebhookconfigurations",
  "MutatingWebhookConfiguration",
);
export const VALIDATING_WEBHOOKS: ResourceType<ValidatingWebhookConfiguration> = clusterWide(
  ADMISSION,
  "v1",
  "validatingwebhookconfigurations",
  "ValidatingWebhookConfiguration",
);

const SECURITY = "security.istio.io";
export const AUTHORIZATION_POLICIES: ResourceType<CustomObject> = namespaced(
  SECURITY,
  "v1",
  "authorizationpolicies",
  "AuthorizationPolicy",
);
export const PEER_AUTHENTICATIONS: ResourceType<CustomObject> = namespaced(
  SECURITY,
  "v1",
  "peerauthentications",
  "PeerAuthentication",
);
export const REQUEST_AUTHENTICATIONS: ResourceType<CustomObject> = namespaced(
  SECURITY,
  "v1",
  "requestauthentications",
  "RequestAuthentication",
);
const NETWORKING = "networking.istio.io";
export const SERVICE_ENTRIES: ResourceType<CustomObject> = namespaced(
  NETWORKING,
  "v1",
  "serviceentries",
  "ServiceEntry",
);
export const WORKLOAD_ENTRIES: ResourceType<CustomObject> = namespaced(
  NETWORKING,
  "v1",
  "workloadentries",
  "WorkloadEntry",
);
export const VIRTUAL_SERVICES: ResourceType<CustomObject> = namespaced(
  NETWORKING,
  "v1",
  "virtualservices",
  "VirtualService",
);
export const DESTINATION_RULES: ResourceType<CustomObject> = namespaced(
  NETWORKING,
  "v1",
  "destinationrules",
  "DestinationRule",
);
export const TELEMETRIES: ResourceType<CustomObject> = namespaced(
  "telemetry.istio.io",
  "v1",
  "telemetries",
  "Telemetry",
);
export const RATE_LIMIT_POLICIES: ResourceType<CustomObject> = namespaced(
  "meltemi.io",
  "v1alpha1",
  "ratelimitpolicies",
  "RateLimitPolicy",
);

const GATEWAY_API = "gateway.networking.k8s.io";
export const GATEWAYS: ResourceType<Gateway> = namespaced(GATEWAY_API, "v1", "gateways", "Gateway");
export const GATEWAY_CLASSES: ResourceType<GatewayClass> = clusterWide(
  GATEWAY_API,
  "v1",
  "gatewayclasses",
  "GatewayClass",
);
export const HTTP_ROUTES: ResourceType<CustomObject> = namespaced(
  GATEWAY_API,
  "v1",
  "httproutes",
  "HTTPRoute",
);
export const GRPC_ROUTES: ResourceType<CustomObject> = namespaced(
  GATEWAY_API,
  "v1",
  "grpcroutes",
  "GRPCRoute",
);
export const TCP_ROUTES: ResourceType<CustomObject> = namespaced(
  GATEWAY_API,
  "v1alpha2",
  "tcproutes",
  "TCPRoute",
);
export const TLS_ROUTES: ResourceType<CustomObject> = namespaced(
  GATEWAY_API,
  "v1alpha2",
  "tlsroutes",
  "TLSRoute",
);
