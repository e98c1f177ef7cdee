/** `istio.workload.Workload` ↔ {@link Workload} (reference: protocol §3.2, §3.3). */

import { create } from "@bufbuild/protobuf";
import {
  type ApplicationTunnel,
  DEFAULT_TRUST_DOMAIN,
  ipBytes,
  type Port,
  type TunnelProtocol,
  type Workload,
  type WorkloadType,
} from "@meltemi/model";
import { workload as wire } from "@meltemi/wire";
import { gatewayFromWire, gatewayToWire, portsFromWire, portsToWire } from "./address-parts.ts";
import {
  boundedName,
  type EnumTable,
  enumFromWire,
  enumToWire,
  ipFromWire,
  portFromWire,
  requiredName,
} from "./fields.ts";

/** What an empty field means. */
const DEFAULT_SERVICE_ACCOUNT = "default";
const DEFAULT_CLUSTER_ID = "Kubernetes";

/** LEGACY_ISTIO_MTLS (2) is for sidecars that do not speak HBONE; a ztunnel cannot, and says so. */
const TUNNEL_PROTOCOLS: EnumTable<TunnelProtocol> = ["none", "hbone", undefined];
const WORKLOAD_TYPES: EnumTable<WorkloadType> = ["deployment", "cronjob", "pod", "job"];
const STATUSES: EnumTable<Workload["status"]> = ["healthy", "unhealthy"];
const NETWORK_MODES: EnumTable<Workload["networkMode"]> = ["standard", "hostNetwork"];
const APPLICATION_TUNNELS: EnumTable<ApplicationTunnel["protocol"]> = ["none", "proxy"];

/** Throws INPUT_INVALID naming the field when the message is one that must be refused. */
export function workloadFromWire(message: wire.Workload): Workload {
  const { waypoint, networkGateway, applicationTunnel, locality } = message;
  return {
    uid: requiredName("uid", message.uid),
    name: boundedName("name", message.name),
    namespace: boundedName("namespace", message.namespace),
    addresses: message.addresses.map((bytes) => ipFromWire("address", bytes)),
    hostname: boundedName("hostname", message.hostname),
    network: boundedName("network", message.network),
    ...(networkGateway && { networkGateway: gatewayFromWire("network_gateway", networkGateway) }),
    networkMode: enumFromWire("network_mode", NETWORK_MODES, message.networkMode),
    tunnelProtocol: enumFromWire("tunnel_protocol", TUNNEL_PROTOCOLS, message.tunnelProtocol),
    nativeTunnel: message.nativeTunnel,
    trustDomain: boundedName("trust_domain", message.trustDomain) || DEFAULT_TRUST_DOMAIN,
    serviceAccount: boundedName("service_account", message.serviceAccount) || DEFAULT_SERVICE_ACCOUNT,
    ...(waypoint && { waypoint: gatewayFromWire("waypoint", waypoint) }),
    node: boundedName("node", message.node),
    canonicalName: boundedName("canonical_name", message.canonicalName),
    canonicalRevision: boundedName("canonical_revision", message.canonicalRevision),
    workloadType: enumFromWire("workload_type", WORKLOAD_TYPES, message.workloadType),
    workloadName: boundedName("workload_name", message.workloadName),
    clusterId: boundedName("cluster_id", message.clusterId) || DEFAULT_CLUSTER_ID,
    locality: {
      region: boundedName("region", locality?.region ?? ""),
      zone: boundedName("zone", locality?.zone ?? ""),
      subzone: boundedName("subzone", locality?.subzone ?? ""),
    },
    authorizationPolicies: message.authorizationPolicies.map((key) => requiredName("policy", key)),
    status: enumFromWire("status", STATUSES, message.status),
    services: servicesFromWire(message.services),
    ...(applicationTunnel && { applicationTunnel: tunnelFromWire(applicationTunnel) }),
    capacity: message.capacity ?? 1,
  };
}

function servicesFromWire(
  services: Readonly<Record<string, wire.PortList>>,
): ReadonlyMap<string, readonly Port[]> {
  return new Map(
    Object.entries(services).map(([key, list]) => [requiredName("service", key), portsFromWire(list.ports)]),
  );
}

function tunnelFromWire(tunnel: wire.ApplicationTunnel): ApplicationTunnel {
  return {
    protocol: enumFromWire("application_tunnel.protocol", APPLICATION_TUNNELS, tunnel.protocol),
    port: portFromWire("application_tunnel.port", tunnel.port),
  };
}

/** Defaults are left out, and maps are written in the order of their keys, so that equal workloads have equal bytes. */
export function workloadToWire(workload: Workload): wire.Workload {
  const { waypoint, networkGateway, applicationTunnel, locality } = workload;
  return create(wire.WorkloadSchema, {
    uid: workload.uid,
    name: workload.name,
    namespace: workload.namespace,
    addresses: workload.addresses.map(ipBytes),
    hostname: workload.hostname,
    network: workload.network,
    ...(networkGateway && { networkGateway: gatewayToWire(networkGateway) }),
    networkMode: enumToWire(NETWORK_MODES, workload.networkMode),
    tunnelProtocol: enumToWire(TUNNEL_PROTOCOLS, workload.tunnelProtocol),
    nativeTunnel: workload.nativeTunnel,
    trustDomain: workload.trustDomain === DEFAULT_TRUST_DOMAIN ? "" : workload.trustDomain,
    serviceAccount: workload.serviceAccount,
    ...(waypoint && { waypoint: gatewayToWire(waypoint) }),
    node: workload.node,
    canonicalName: workload.canonicalName,
    canonicalRevision: workload.canonicalRevision,
    workloadType: enumToWire(WORKLOAD_TYPES, workload.workloadType),
    workloadName: workload.workloadName,
    clusterId: workload.clusterId,
    ...((locality.region || locality.zone || locality.subzone) && {
      locality: create(wire.LocalitySchema, locality),
    }),
    authorizationPolicies: [...workload.authorizationPolicies],
    status: enumToWire(STATUSES, workload.status),
    services: servicesToWire(workload.services),
    ...(applicationTunnel && {
      applicationTunnel: create(wire.ApplicationTunnelSchema, {
        protocol: enumToWire(APPLICATION_TUNNELS, applicationTunnel.protocol),
        port: applicationTunnel.port,
      }),
    }),
    ...(workload.capacity !== 1 && { capacity: workload.capacity }),
  });
}

function servicesToWire(services: ReadonlyMap<string, readonly Port[]>): Record<string, wire.PortList> {
  // A null prototype: the keys come from objects that anyone in the cluster may name.
  const record: Record<string, wire.PortList> = Object.create(null) as Record<string, wire.PortList>;
  for (const key of [...services.keys()].sort()) {
    record[key] = create(wire.PortListSchema, { ports: portsToWire(services.get(key) ?? []) });
  }
  return record;
}
