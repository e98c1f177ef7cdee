/** Workloads that are not pods: WorkloadEntry, endpoints of a ServiceEntry, hand-written EndpointSlices (reference: protocol §3.8). */

import type { Workload } from "@meltemi/model";
import { bindingKey } from "./binding-report.ts";
import type { EndpointFacts, EndpointSliceFacts, ServiceEntryFacts, WorkloadEntryFacts } from "./facts.ts";
import type { Output } from "./graph.ts";
import { guardedPolicies } from "./waypoint-guard.ts";
import {
  type Compilation,
  handWrittenService,
  labelledParts,
  networkOf,
  parseLocality,
  plainWorkload,
  resolvePorts,
  type ServicePorts,
  selectingServices,
} from "./workload-parts.ts";

export function compileWorkloadEntry(
  entry: WorkloadEntryFacts,
  compilation: Compilation,
): readonly Output<Workload>[] {
  const { namespace, name, endpoint } = entry;
  if (endpoint.address === undefined) return [];
  const uid = `${compilation.settings.clusterId}/networking.istio.io/WorkloadEntry/${namespace}/${name}`;
  const labels = { ...entry.labels, ...endpoint.labels };
  const services = selectingServices(compilation, namespace, labels, endpoint.ports);
  const value = endpointWorkload(
    { uid, namespace, name, endpoint: { ...endpoint, labels }, services },
    compilation,
  );
  const authorizationPolicies = guardedPolicies(value, labels, compilation);
  const { read, outputs } = compilation;
  const binding = read.get(outputs.waypointBindings, bindingKey("WorkloadEntry", entry))?.binding;
  const bound = binding?.kind === "bound" ? { waypoint: binding.address } : {};
  return [{ key: uid, value: { ...value, authorizationPolicies, ...bound } }];
}

export function compileServiceEntryEndpoints(
  entry: ServiceEntryFacts,
  compilation: Compilation,
): readonly Output<Workload>[] {
  if (entry.workloadSelector !== undefined || entry.resolution === "none") return [];
  const { namespace, name } = entry;
  const prefix = `${compilation.settings.clusterId}/networking.istio.io/ServiceEntry/${namespace}/${name}`;
  const workloadOf = (endpoint: EndpointFacts, hosts: readonly string[]): Output<Workload>[] => {
    if (endpoint.address === undefined) return [];
    const { address } = endpoint;
    const uid = `${prefix}/${address.kind === "ip" ? address.ip : address.hostname}`;
    const ports = resolvePorts(entry.ports, (port) => endpointPort(endpoint, port));
    const services: ServicePorts = new Map(hosts.map((host) => [`${namespace}/${host}`, ports]));
    return [{ key: uid, value: endpointWorkload({ uid, namespace, name, endpoint, services }, compilation) }];
  };
  if (entry.endpoints.length > 0)
    return entry.endpoints.flatMap((endpoint) => workloadOf(endpoint, entry.hosts));
  if (entry.resolution !== "dns") return [];
  // The hosts stand for themselves and are looked up by who connects.
  return entry.hosts.flatMap((hostname) =>
    workloadOf({ ...PLAIN_ENDPOINT, address: { kind: "hostname", hostname } }, [hostname]),
  );
}

const PLAIN_ENDPOINT: Omit<EndpointFacts, "address"> = {
  labels: {},
  ports: {},
  network: "",
  locality: "",
  weight: 1,
  serviceAccount: "",
};

function endpointPort(
  endpoint: EndpointFacts,
  port: { readonly name: string; readonly port: number; readonly targetPort: number | string },
): number {
  if (Object.hasOwn(endpoint.ports, port.name)) return endpoint.ports[port.name] ?? port.port;
  return typeof port.targetPort === "number" ? port.targetPort : port.port;
}

export function compileEndpointSlice(
  slice: EndpointSliceFacts,
  compilation: Compilation,
): readonly Output<Workload>[] {
  const { namespace, name } = slice;
  const { settings } = compilation;
  const service = handWrittenService(slice, compilation);
  if (service === undefined) return [];
  const network = networkOf(compilation, {});
  return slice.endpoints.flatMap(({ ips, healthy, podName }): Output<Workload>[] => {
    const [ip] = ips;
    // An endpoint that names its pod is that pod's business.
    if (ip === undefined || podName !== undefined) return [];
    const uid = `${settings.clusterId}/discovery.k8s.io/EndpointSlice/${namespace}/${name}/${ip}`;
    const value: Workload = {
      ...plainWorkload(settings),
      uid,
      name,
      namespace,
      addresses: ips,
      network,
      // Such an address may belong to a host or to a pod that is known already: it must not be found by address.
      networkMode: "hostNetwork",
      workloadName: name,
      canonicalName: service.name,
      status: healthy ? "healthy" : "unhealthy",
      services: new Map([[service.key, service.ports]]),
    };
    const authorizationPolicies = guardedPolicies(value, {}, compilation);
    return [{ key: uid, value: { ...value, authorizationPolicies } }];
  });
}

interface EndpointSource {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly endpoint: EndpointFacts;
  readonly services: ServicePorts;
}

function endpointWorkload(source: EndpointSource, compilation: Compilation): Workload {
  const { uid, namespace, name, endpoint, services } = source;
  const { address, labels } = endpoint;
  const labelled = labelledParts(compilation, namespace, labels, name);
  return {
    ...plainWorkload(compilation.settings),
    uid,
    name,
    namespace,
    addresses: address?.kind === "ip" ? [address.ip] : [],
    hostname: address?.kind === "hostname" ? address.hostname : "",
    ...labelled,
    network: endpoint.network || labelled.network,
    tunnelProtocol: labelled.nativeTunnel ? "hbone" : "none",
    serviceAccount: endpoint.serviceAccount || "default",
    locality: parseLocality(endpoint.locality, "/"),
    services,
    capacity: endpoint.weight,
  };
}
