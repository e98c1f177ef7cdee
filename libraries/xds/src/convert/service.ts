/** `istio.workload.Service` ↔ {@link Service} (reference: protocol §3.2, §3.3). */

import { create } from "@bufbuild/protobuf";
import {
  type Cidr,
  cidr,
  ipBytes,
  type LoadBalancing,
  type LoadBalancingScope,
  type NetworkAddress,
  type Service,
} from "@meltemi/model";
import { workload as wire } from "@meltemi/wire";
import { gatewayFromWire, gatewayToWire, portsFromWire, portsToWire } from "./address-parts.ts";
import {
  boundedName,
  type EnumTable,
  enumFromWire,
  enumToWire,
  invalid,
  ipFromWire,
  requiredName,
} from "./fields.ts";

const MODES: EnumTable<LoadBalancing["mode"]> = ["standard", "strict", "failover", "passthrough"];
const HEALTH_POLICIES: EnumTable<LoadBalancing["healthPolicy"]> = ["onlyHealthy", "allowAll"];
const IP_FAMILIES: EnumTable<Service["ipFamilies"]> = ["automatic", "ipv4", "ipv6", "dual"];
/** UNSPECIFIED_SCOPE (0) orders nothing and is refused. */
const SCOPES: EnumTable<LoadBalancingScope> = [
  undefined,
  "region",
  "zone",
  "subzone",
  "node",
  "cluster",
  "network",
];

/** Throws INPUT_INVALID naming the field when the message is one that must be refused. */
export function serviceFromWire(message: wire.Service): Service {
  return {
    name: boundedName("name", message.name),
    namespace: requiredName("namespace", message.namespace),
    hostname: requiredName("hostname", message.hostname),
    ...vipsFromWire(message.addresses),
    ports: portsFromWire(message.ports),
    subjectAltNames: message.subjectAltNames.map((name) => boundedName("subject_alt_name", name)),
    ...(message.waypoint && { waypoint: gatewayFromWire("waypoint", message.waypoint) }),
    weightedWaypoints: message.weightedWaypoints.map((weighted) => {
      if (weighted.destination === undefined)
        throw invalid("weighted_waypoint", "without destination", "a gateway address");
      return {
        waypoint: gatewayFromWire("weighted_waypoint", weighted.destination),
        weight: weighted.weight,
      };
    }),
    ingressUseWaypoint: message.ingressUseWaypoint,
    loadBalancing: loadBalancingFromWire(message.loadBalancing),
    ipFamilies: enumFromWire("ip_families", IP_FAMILIES, message.ipFamilies),
    canonical: message.canonical,
    // A visibility newer than this code narrows who may use the name; it never makes the service wrong.
    visibility: message.visibility === wire.Service_Visibility.NAMESPACE ? "namespace" : "public",
  };
}

/** An address whose length is absent or full is a VIP; a shorter one is a network. */
function vipsFromWire(addresses: readonly wire.NetworkAddress[]): Pick<Service, "vips" | "cidrVips"> {
  const vips: NetworkAddress[] = [];
  const cidrVips: { readonly network: string; readonly cidr: Cidr }[] = [];
  for (const { network, address, length } of addresses) {
    boundedName("address.network", network);
    const ip = ipFromWire("address", address);
    const fullLength = address.length * 8;
    if (length === undefined || length === fullLength) {
      vips.push({ network, ip });
      continue;
    }
    const parsed = cidr(address, length);
    if (parsed === undefined) throw invalid("address.length", length, `a prefix length up to ${fullLength}`);
    cidrVips.push({ network, cidr: parsed });
  }
  return { vips, cidrVips };
}

function loadBalancingFromWire(message: wire.LoadBalancing | undefined): LoadBalancing {
  if (message === undefined) return { routingPreferences: [], mode: "standard", healthPolicy: "onlyHealthy" };
  return {
    routingPreferences: message.routingPreference.map((scope) =>
      enumFromWire("routing_preference", SCOPES, scope),
    ),
    mode: enumFromWire("load_balancing.mode", MODES, message.mode),
    healthPolicy: enumFromWire("health_policy", HEALTH_POLICIES, message.healthPolicy),
  };
}

/** Defaults are left out, so that equal services have equal bytes and older readers see what they know. */
export function serviceToWire(service: Service): wire.Service {
  return create(wire.ServiceSchema, {
    name: service.name,
    namespace: service.namespace,
    hostname: service.hostname,
    addresses: [
      ...service.vips.map(({ network, ip }) =>
        create(wire.NetworkAddressSchema, { network, address: ipBytes(ip) }),
      ),
      ...service.cidrVips.map(({ network, cidr: { bytes, prefixLength } }) =>
        create(wire.NetworkAddressSchema, { network, address: bytes, length: prefixLength }),
      ),
    ],
    ports: portsToWire(service.ports),
    subjectAltNames: [...service.subjectAltNames],
    ...(service.waypoint && { waypoint: gatewayToWire(service.waypoint) }),
    weightedWaypoints: service.weightedWaypoints.map(({ waypoint, weight }) =>
      create(wire.WeightedWaypointSchema, { destination: gatewayToWire(waypoint), weight }),
    ),
    ingressUseWaypoint: service.ingressUseWaypoint,
    ...loadBalancingToWire(service.loadBalancing),
    ipFamilies: enumToWire(IP_FAMILIES, service.ipFamilies),
    canonical: service.canonical,
    visibility:
      service.visibility === "namespace" ? wire.Service_Visibility.NAMESPACE : wire.Service_Visibility.PUBLIC,
  });
}

function loadBalancingToWire(loadBalancing: LoadBalancing): { loadBalancing?: wire.LoadBalancing } {
  const { mode, healthPolicy, routingPreferences } = loadBalancing;
  if (mode === "standard" && healthPolicy === "onlyHealthy" && routingPreferences.length === 0) return {};
  return {
    loadBalancing: create(wire.LoadBalancingSchema, {
      mode: enumToWire(MODES, mode),
      healthPolicy: enumToWire(HEALTH_POLICIES, healthPolicy),
      routingPreference: routingPreferences.map((scope) => enumToWire(SCOPES, scope)),
    }),
  };
}
