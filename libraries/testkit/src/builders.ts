/** Values of the model with sane defaults: a test names only what matters to it. */

import {
  DEFAULT_TRUST_DOMAIN,
  EMPTY_MATCH,
  ip,
  type Policy,
  type PolicyMatch,
  type Port,
  type Service,
  type Workload,
} from "@meltemi/model";

/** A healthy, meshed pod `default/client` at 10.0.0.1 on `node-a`. Its uid follows name and namespace. */
export function workload(changes: Partial<Workload> = {}): Workload {
  const name = changes.name ?? "client";
  const namespace = changes.namespace ?? "default";
  return {
    uid: `Kubernetes//Pod/${namespace}/${name}`,
    name,
    namespace,
    addresses: [ip("10.0.0.1")],
    hostname: "",
    network: "",
    networkMode: "standard",
    tunnelProtocol: "hbone",
    nativeTunnel: false,
    trustDomain: DEFAULT_TRUST_DOMAIN,
    serviceAccount: name,
    node: "node-a",
    canonicalName: name,
    canonicalRevision: "latest",
    workloadType: "pod",
    workloadName: name,
    clusterId: "Kubernetes",
    locality: { region: "", zone: "", subzone: "" },
    authorizationPolicies: [],
    status: "healthy",
    services: new Map(),
    capacity: 1,
    ...changes,
  };
}

/** Service `default/server.default.svc.cluster.local` at 10.96.0.1, port 80 → 8080. The host name follows name and namespace. */
export function service(changes: Partial<Service> = {}): Service {
  const name = changes.name ?? "server";
  const namespace = changes.namespace ?? "default";
  return {
    name,
    namespace,
    hostname: `${name}.${namespace}.svc.cluster.local`,
    vips: [{ network: "", ip: ip("10.96.0.1") }],
    cidrVips: [],
    ports: [servicePort(80, 8080)],
    subjectAltNames: [],
    weightedWaypoints: [],
    ingressUseWaypoint: false,
    loadBalancing: { routingPreferences: [], mode: "standard", healthPolicy: "onlyHealthy" },
    ipFamilies: "automatic",
    canonical: true,
    visibility: "public",
    ...changes,
  };
}

export function servicePort(port: number, targetPort: number = port): Port {
  return { servicePort: port, targetPort, appProtocol: "unknown" };
}

/** Policy `default/policy`: ALLOW in its namespace, with no rule, so that it allows nothing. */
export function policy(changes: Partial<Policy> = {}): Policy {
  return {
    name: "policy",
    namespace: "default",
    scope: "namespace",
    action: "allow",
    rules: [],
    dryRun: false,
    ...changes,
  };
}

export function policyMatch(changes: Partial<PolicyMatch> = {}): PolicyMatch {
  return { ...EMPTY_MATCH, ...changes };
}
