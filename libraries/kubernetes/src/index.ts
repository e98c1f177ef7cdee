export {
  type ClusterAccess,
  fileToken,
  type Impersonation,
  staticToken,
  type TokenSource,
} from "./access.ts";
export { createKubernetesClient } from "./client.ts";
export type {
  ApplyOptions,
  CallOptions,
  DeleteOptions,
  JsonPatchOperation,
  KubernetesClient,
  ListOptions,
  LogOptions,
  ObjectList,
  Patch,
  RawAnswer,
  RawRequest,
  ReadOptions,
  Selection,
  ServiceAccountToken,
  Subresource,
  TokenRequest,
  TokenVerdict,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "./client-types.ts";
export type {
  Condition,
  Gateway,
  GatewayAddressValue,
  GatewayClass,
  GatewayListener,
  GatewayListenerStatus,
} from "./gateway-types.ts";
export { type InClusterDependencies, loadInCluster } from "./in-cluster.ts";
export {
  createInformer,
  type Informer,
  type InformerDependencies,
  type InformerHandlers,
  type InformerOptions,
} from "./informer.ts";
export * from "./kinds.ts";
export { type KubeconfigOptions, loadKubeconfig } from "./kubeconfig.ts";
export {
  formatRequirements,
  type LabelSelector,
  type Labels,
  matchesLabelSelector,
  matchesLabels,
  matchesRequirements,
  parseSelector,
  type Requirement,
  requirementsOf,
  type SelectorResult,
} from "./label-selector.ts";
export {
  type LeaderElectionDependencies,
  type LeaderElectionOptions,
  runLeaderElection,
} from "./leader-election.ts";
export type { IndexFunction } from "./object-store.ts";
export {
  apiVersionOf,
  type CustomObject,
  type KubernetesObject,
  keyOf,
  keyOfRef,
  nameOf,
  namespaceOf,
  type ObjectMeta,
  type ObjectRef,
  parseKey,
  type ResourceType,
  refOf,
} from "./resource-type.ts";
export { isNotServed, withServedVersions } from "./served-versions/client.ts";
export { isAlreadyExists, isConflict, isGone, isNotFound, statusOf } from "./status-error.ts";
export { createPodStreams, type ExecOptions, type PodStreams } from "./streams/pod-streams.ts";
export {
  createWorkQueue,
  type WorkQueue,
  type WorkQueueDependencies,
  type WorkQueueOptions,
} from "./work-queue.ts";
