/** The mesh in the JSON of Istio's config dump, which `istioctl ztunnel-config` reads (reference: protocol §8.2). Pure. */

import {
  formatCidr,
  type GatewayAddress,
  type MeshSnapshot,
  type Policy,
  type PolicyMatch,
  type Port,
  type Service,
  type StringMatch,
  serviceKey,
  type Workload,
} from "@meltemi/model";

type Json = Readonly<Record<string, unknown>>;

export function dumpMesh(snapshot: MeshSnapshot): Json {
  return {
    workloads: collect(snapshot.workloads, dumpWorkload),
    services: collect(snapshot.services, (service) => dumpService(snapshot, service)),
    policies: collect(snapshot.policies, dumpPolicy),
    stagedServices: stagedServices(snapshot),
  };
}

function collect<T>(
  map: { forEach(visit: (value: T, key: string) => void): void },
  dump: (value: T) => Json,
): Json[] {
  const entries: [string, Json][] = [];
  map.forEach((value, key) => {
    entries.push([key, dump(value)]);
  });
  return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, json]) => json);
}

export function dumpWorkload(workload: Workload): Json {
  const { applicationTunnel: tunnel, locality } = workload;
  return compact({
    workloadIps: workload.addresses,
    waypoint: workload.waypoint && dumpGateway(workload.waypoint),
    networkGateway: workload.networkGateway && dumpGateway(workload.networkGateway),
    protocol: workload.tunnelProtocol === "hbone" ? "HBONE" : "TCP",
    networkMode: workload.networkMode === "hostNetwork" ? "HostNetwork" : "Standard",
    uid: workload.uid,
    name: workload.name,
    namespace: workload.namespace,
    trustDomain: workload.trustDomain,
    serviceAccount: workload.serviceAccount,
    network: workload.network,
    workloadName: workload.workloadName,
    workloadType: workload.workloadType,
    canonicalName: workload.canonicalName,
    canonicalRevision: workload.canonicalRevision,
    hostname: workload.hostname,
    node: workload.node,
    nativeTunnel: workload.nativeTunnel || undefined,
    applicationTunnel: tunnel && { protocol: tunnel.protocol.toUpperCase(), port: tunnel.port },
    authorizationPolicies: workload.authorizationPolicies,
    status: workload.status === "healthy" ? "Healthy" : "Unhealthy",
    clusterId: workload.clusterId,
    locality: locality.region || locality.zone || locality.subzone ? compact({ ...locality }) : undefined,
    services: [...workload.services.keys()],
    capacity: workload.capacity,
  });
}

export function dumpService(snapshot: MeshSnapshot, service: Service): Json {
  const { loadBalancing } = service;
  const standard = loadBalancing.mode === "standard" && loadBalancing.healthPolicy === "onlyHealthy";
  return compact({
    name: service.name,
    namespace: service.namespace,
    hostname: service.hostname,
    vips: service.vips.map((vip) => `${vip.network}/${vip.ip}`),
    cidrVips:
      service.cidrVips.length > 0
        ? service.cidrVips.map((vip) => `${vip.network}/${formatCidr(vip.cidr)}`)
        : undefined,
    ports: dumpPorts(service.ports),
    endpoints: dumpEndpoints(snapshot, serviceKey(service)),
    subjectAltNames: service.subjectAltNames,
    waypoint: service.waypoint && dumpGateway(service.waypoint),
    weightedWaypoints:
      service.weightedWaypoints.length > 0
        ? service.weightedWaypoints.map(({ waypoint, weight }) => ({ ...dumpGateway(waypoint), weight }))
        : undefined,
    loadBalancer: standard
      ? undefined
      : {
          routingPreferences: loadBalancing.routingPreferences.map(capitalized),
          mode: capitalized(loadBalancing.mode),
          healthPolicy: capitalized(loadBalancing.healthPolicy),
        },
    ipFamilies: FAMILIES[service.ipFamilies],
    canonical: service.canonical,
    visibility: capitalized(service.visibility),
  });
}

const FAMILIES = { automatic: undefined, dual: "Dual", ipv4: "IPv4", ipv6: "IPv6" } as const;

function dumpEndpoints(snapshot: MeshSnapshot, key: string): Json {
  const endpoints: Record<string, unknown> = {};
  snapshot.endpoints.get(key)?.forEach((workload, uid) => {
    endpoints[uid] = {
      workloadUid: uid,
      port: dumpPorts(workload.services.get(key) ?? []),
      status: workload.status === "healthy" ? "Healthy" : "Unhealthy",
    };
  });
  return endpoints;
}

/** Endpoints of services that have not arrived. */
function stagedServices(snapshot: MeshSnapshot): Json {
  const staged: Record<string, unknown> = {};
  snapshot.endpoints.forEach((_, key) => {
    if (snapshot.services.get(key) === undefined) staged[key] = dumpEndpoints(snapshot, key);
  });
  return staged;
}

function dumpPorts(ports: readonly Port[]): Json {
  return Object.fromEntries(ports.map((port) => [String(port.servicePort), port.targetPort]));
}

function dumpGateway(gateway: GatewayAddress): Json {
  const { destination } = gateway;
  return {
    destination:
      destination.kind === "address"
        ? `${destination.network}/${destination.ip}`
        : `${destination.namespace}/${destination.hostname}`,
    hboneMtlsPort: gateway.hbonePort,
  };
}

export function dumpPolicy(policy: Policy): Json {
  return {
    name: policy.name,
    namespace: policy.namespace,
    scope: capitalized(policy.scope),
    action: capitalized(policy.action),
    rules: policy.rules.map((clauses) => clauses.map((matches) => matches.map(dumpMatch))),
    dryRun: policy.dryRun,
  };
}

function dumpMatch(match: PolicyMatch): Json {
  const { namespaces, notNamespaces, principals, notPrincipals } = match;
  const { sourceIps, notSourceIps, destinationIps, notDestinationIps } = match;
  return omitEmpty({
    ...match,
    namespaces: namespaces.map(dumpStringMatch),
    notNamespaces: notNamespaces.map(dumpStringMatch),
    principals: principals.map(dumpStringMatch),
    notPrincipals: notPrincipals.map(dumpStringMatch),
    sourceIps: sourceIps.map(formatCidr),
    notSourceIps: notSourceIps.map(formatCidr),
    destinationIps: destinationIps.map(formatCidr),
    notDestinationIps: notDestinationIps.map(formatCidr),
  });
}

function dumpStringMatch(match: StringMatch): Json {
  return match.kind === "presence" ? { Presence: [] } : { [capitalized(match.kind)]: match.value };
}

function omitEmpty(json: Readonly<Record<string, readonly unknown[]>>): Json {
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value.length > 0));
}

function compact(json: Json): Json {
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== undefined));
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1);
}
