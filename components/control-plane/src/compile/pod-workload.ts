/** Pod → Workload (reference: protocol §3.8). */

import type { Locality, Workload } from "@meltemi/model";
import type { PodFacts } from "./facts.ts";
import type { Output } from "./graph.ts";
import { serviceHostname } from "./mesh-collections.ts";
import {
  type Compilation,
  canonicalOf,
  networkOf,
  parseLocality,
  plainWorkload,
  policyKeys,
  resolvePorts,
  type ServicePorts,
  selectingServices,
  speaksHbone,
  workloadWaypoint,
} from "./workload-parts.ts";

export function compilePod(pod: PodFacts, compilation: Compilation): readonly Output<Workload>[] {
  if (pod.terminated || pod.ips.length === 0) return [];
  const { settings } = compilation;
  const { namespace, name, labels } = pod;
  const uid = `${settings.clusterId}//Pod/${namespace}/${name}`;
  const nativeTunnel = speaksHbone(labels);
  const network = networkOf(compilation, labels);
  // A waypoint is not sent through a waypoint.
  const isWaypoint = labels["gateway.networking.k8s.io/gateway-name"] !== undefined;
  const value: Workload = {
    ...plainWorkload(settings),
    uid,
    name,
    namespace,
    addresses: pod.ips,
    network,
    networkMode: pod.hostNetwork ? "hostNetwork" : "standard",
    tunnelProtocol: pod.captured || nativeTunnel ? "hbone" : "none",
    nativeTunnel,
    serviceAccount: pod.serviceAccount,
    ...(isWaypoint ? {} : workloadWaypoint(compilation, pod.waypoint, namespace, network)),
    node: pod.node,
    ...canonicalOf(labels, pod.workloadName),
    workloadName: pod.workloadName,
    locality: localityOf(pod, compilation),
    authorizationPolicies: policyKeys(compilation, namespace, labels),
    status: pod.healthy ? "healthy" : "unhealthy",
    services: servicesOf(pod, compilation),
  };
  return [{ key: uid, value }];
}

function localityOf(pod: PodFacts, { inputs, read }: Compilation): Locality {
  const own = pod.labels["istio-locality"];
  if (own !== undefined && own !== "") return parseLocality(own, ".");
  const node = read.get(inputs.nodes, pod.node);
  return { region: node?.region ?? "", zone: node?.zone ?? "", subzone: node?.subzone ?? "" };
}

function servicesOf(pod: PodFacts, compilation: Compilation): ServicePorts {
  const { inputs, read, settings } = compilation;
  const { namespace, name } = pod;
  const found = selectingServices(compilation, namespace, pod.labels, pod.namedPorts);
  // A Service without a selector may point at pods by hand-written slices.
  for (const slice of read.by(inputs.endpointSlices, "pod", `${namespace}/${name}`)) {
    const service = read.get(inputs.services, `${namespace}/${slice.serviceName}`);
    if (service === undefined || Object.keys(service.selector).length > 0) continue;
    const ports = resolvePorts(
      service.ports,
      (port) => slice.ports.find((candidate) => candidate.name === port.name)?.port,
    );
    found.set(`${namespace}/${serviceHostname(service, settings)}`, ports);
  }
  return found;
}
