export { dumpMesh, dumpPolicy, dumpService, dumpWorkload } from "./admin/dump-model.ts";
export { applyLogClauses, parseLogClauses } from "./admin/log-levels.ts";
export { createReadiness, type Readiness } from "./admin/readiness.ts";
export { type AdminServers, startAdminServers } from "./admin/servers.ts";
export {
  type Admission,
  type AdmissionLimits,
  CROWDED,
  createAdmission,
  limitsFor,
  type PodAdmission,
} from "./admission.ts";
export { createProxyCertificates, rootsOf, xdsClientParts } from "./control-plane.ts";
export {
  type ControlPlaneConfig,
  DEFAULT_CONTROL_PLANE,
  DEFAULT_TOKEN_PATH,
  type LogConfig,
  readControlPlane,
  readDrainDeadlineMs,
  readLogConfig,
  readMetadata,
} from "./environment.ts";
export { createHostnameResolver, type HostnameResolver } from "./hostname-resolver.ts";
export { createInternalErrorReport, type ReportInternalError } from "./internal-errors.ts";
export { createMeshStore, type MeshStore } from "./mesh-store.ts";
export { tellBuild } from "./process-metrics.ts";
export { encodeProxyHeader, encodeProxyLine } from "./proxy-protocol.ts";
export type { CrlFile } from "./revocation/crl-file.ts";
export { followRevocation } from "./revocation/follow-revocation.ts";
export { createPeerRevocation, type PeerRevocation } from "./revocation/peer-revocation.ts";
export { type ProcessParts, runProxy } from "./run-proxy.ts";
export { createSnapshotStore, type SnapshotStore } from "./snapshot-store.ts";
export { readText, textSource } from "./text-source.ts";
export { addressChanges, policyChanges } from "./xds-changes.ts";
