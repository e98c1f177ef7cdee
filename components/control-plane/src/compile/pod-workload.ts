/** Pod → Workload (reference: protocol §3.8). */

import type { Locality, Workload } from "@meltemi/model";
import { waypointKey } from "./binding-report.ts";
import type { PodFacts } from "./facts.ts";
import type { Output } from "./graph.ts";
import { bindWorkload, isWaypointPod } from "./waypoint-binding.ts";
import { guardedPolicies } from "./waypoint-guard.ts";
import {
  type Compilation,
  handWrittenService,
  labelledParts,
  parseLocality,
  plainWorkload,
  type ServicePorts,
  selectingServices,
} from "./workload-parts.ts";

export function compilePod(pod: PodFacts, compilation: Compilation): readonly Output<Workload>[] {
  if (pod.terminated || pod.ips.length === 0) return [];
  const { settings } = compilation;
  const { namespace, name, labels } = pod;
  const uid = `${settings.clusterId}//Pod/${namespace}/${name}`;
  const labelled = labelledParts(compilation, namespace, labels, pod.workloadName);
  const value: Workload = {
    ...plainWorkload(settings),
    uid,
    name,
    namespace,
    addresses: pod.ips,
    ...labelled,
    networkMode: pod.hostNetwork ? "hostNetwork" : "standard",
    tunnelProtocol: pod.captured || labelled.nativeTunnel ? "hbone" : "none",
    serviceAccount: pod.serviceAccount,
    ...waypointParts(pod, labelled.network, compilation),
    node: pod.node,
    locality: localityOf(pod, compilation),
    status: pod.healthy ? "healthy" : "unhealthy",
    services: servicesOf(pod, compilation),
  };
  return [
    { key: uid, value: { ...value, authorizationPolicies: guardedPolicies(value, labels, compilation) } },
  ];
}

/** A waypoint takes connections as its Gateway says and is bound to none; any other pod may be bound to one. */
function waypointParts(
  { namespace, labels, waypoint }: PodFacts,
  network: string,
  compilation: Compilation,
): Pick<Workload, "waypoint" | "applicationTunnel"> {
  if (!isWaypointPod(labels)) {
    const binding = bindWorkload(waypoint, namespace, network, compilation);
    return binding.kind === "bound" ? { waypoint: binding.address } : {};
  }
  const name = labels["gateway.networking.k8s.io/gateway-name"] ?? "";
  const gateway = compilation.read.get(compilation.outputs.waypoints, waypointKey({ namespace, name }));
  if (gateway?.inboundBinding === undefined) return {};
  const { protocol, port = 0 } = gateway.inboundBinding;
  return { applicationTunnel: { protocol, port } };
}

function localityOf(pod: PodFacts, { inputs, read }: Compilation): Locality {
  const own = pod.labels["istio-locality"];
  if (own !== undefined && own !== "") return parseLocality(own, ".");
  const node = read.get(inputs.nodes, pod.node);
  return { region: node?.region ?? "", zone: node?.zone ?? "", subzone: node?.subzone ?? "" };
}

function servicesOf(pod: PodFacts, compilation: Compilation): ServicePorts {
  const { inputs, read } = compilation;
  const { namespace, name } = pod;
  const found = selectingServices(compilation, namespace, pod.labels, pod.namedPorts);
  for (const slice of read.by(inputs.endpointSlices, "pod", `${namespace}/${name}`)) {
    const service = handWrittenService(slice, compilation);
    if (service !== undefined) found.set(service.key, service.ports);
  }
  return found;
}
