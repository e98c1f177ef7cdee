export {
  type Cidr,
  cidr,
  cidrContains,
  cidrContainsBytes,
  formatCidr,
  formatSocketAddress,
  type Ip,
  ip,
  ipBytes,
  ipFromBytes,
  isIpv6,
  isLoopback,
  parseCidr,
  parseIp,
  parseSocketAddress,
  type SocketAddress,
} from "./address.ts";
export {
  chooseGateway,
  describeGateway,
  expectedIdentities,
  type GatewayInstance,
  isInstanceOf,
  pickAddress,
} from "./gateway.ts";
export {
  DEFAULT_TRUST_DOMAIN,
  formatIdentity,
  type Identity,
  parseIdentity,
  sameIdentity,
} from "./identity.ts";
export {
  type Endpoint,
  type EndpointRequest,
  type LocalityRank,
  localityRank,
  type Place,
  resolveTargetPort,
  selectEndpoint,
} from "./load-balance.ts";
export {
  type ApplicablePolicies,
  type FoundAddress,
  findAddress,
  findLocalWorkload,
  findServiceByHostname,
  findServiceByVip,
  findWorkloadByAddress,
  type LocalPlace,
  policiesOf,
  type WorkloadName,
} from "./lookup.ts";
export { findPath, type Journey } from "./path/find-path.ts";
export type { NoPath, OpenPath, Path, Traveller } from "./path/path.ts";
export { type ReachedEndpoint, reachEndpoint } from "./path/reach.ts";
export { PersistentMap, type ReadableMap } from "./persistent-map.ts";
export {
  EMPTY_MATCH,
  type Policy,
  type PolicyMatch,
  policyKey,
  type ServiceAccountMatch,
  type StringMatch,
} from "./policy.ts";
export {
  type AddressChange,
  applyAddressUpdates,
  applyPolicyUpdates,
  EMPTY_SNAPSHOT,
  type MeshSnapshot,
  type PolicyChange,
} from "./snapshot.ts";
export {
  guardsPort,
  isWaypointGuard,
  type WaypointGuardRule,
  waypointGuardName,
} from "./waypoint-guard.ts";
export {
  type ApplicationTunnel,
  type AppProtocol,
  type GatewayAddress,
  type LoadBalancing,
  type LoadBalancingScope,
  type Locality,
  type NamespacedHostname,
  type NetworkAddress,
  networkAddressKey,
  newService,
  newWorkload,
  type Port,
  type Service,
  serviceKey,
  type TunnelProtocol,
  type WeightedWaypoint,
  type Workload,
  type WorkloadType,
  workloadIdentity,
} from "./workload.ts";
