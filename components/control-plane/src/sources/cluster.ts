/** Namespace, Node, Service and EndpointSlice → facts. */

import type { EndpointSlice, Namespace, Node, Service } from "@meltemi/kubernetes";
import { type Ip, parseIp } from "@meltemi/model";
import type {
  EndpointSliceFacts,
  NamespaceFacts,
  NodeFacts,
  ServiceFacts,
  ServicePortFacts,
} from "../compile/facts.ts";
import { appProtocolOf, labelsOf, trafficDistributionOf, waypointRequestOf } from "./labels.ts";

export function namespaceFacts(namespace: Namespace): NamespaceFacts {
  const labels = labelsOf(namespace);
  return {
    name: namespace.metadata?.name ?? "",
    labels,
    waypoint: waypointRequestOf(namespace),
    network: labels["topology.istio.io/network"] ?? "",
  };
}

export function nodeFacts(node: Node): NodeFacts {
  const labels = labelsOf(node);
  return {
    name: node.metadata?.name ?? "",
    region: labels["topology.kubernetes.io/region"] ?? "",
    zone: labels["topology.kubernetes.io/zone"] ?? "",
    subzone: labels["topology.istio.io/subzone"] ?? "",
  };
}

/** Undefined for a Service of type ExternalName: it is a name and no more. */
export function serviceFacts(service: Service): ServiceFacts | undefined {
  const { metadata = {}, spec = {} } = service;
  if (spec.type === "ExternalName") return undefined;
  return {
    namespace: metadata.namespace ?? "",
    name: metadata.name ?? "",
    labels: labelsOf(service),
    waypoint: waypointRequestOf(service),
    selector: spec.selector ?? {},
    vips: vipsOf(service),
    ports: (spec.ports ?? []).filter(({ protocol = "TCP" }) => protocol === "TCP").map(portFacts),
    ipFamilies: ipFamiliesOf(spec.ipFamilies),
    publishNotReady: spec.publishNotReadyAddresses === true,
    localTrafficOnly: spec.internalTrafficPolicy === "Local",
    trafficDistribution: trafficDistributionOf(service, spec.trafficDistribution),
  };
}

function portFacts(port: NonNullable<NonNullable<Service["spec"]>["ports"]>[number]): ServicePortFacts {
  const target = port.targetPort;
  return {
    name: port.name ?? "",
    port: port.port,
    targetPort: target === undefined || target === "" || target === 0 ? port.port : target,
    appProtocol: appProtocolOf(port.appProtocol, port.name),
  };
}

/** Cluster addresses, and those of a load balancer, which pods may dial as well. A headless service has none. */
function vipsOf(service: Service): readonly Ip[] {
  const { clusterIPs, clusterIP } = service.spec ?? {};
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  const texts = [...(clusterIPs ?? [clusterIP]), ...ingress.map(({ ip }) => ip)];
  return [...new Set(texts.flatMap((text) => parseIp(text ?? "") ?? []))];
}

function ipFamiliesOf(families: readonly string[] | undefined): ServiceFacts["ipFamilies"] {
  if (families === undefined || families.length === 0) return "automatic";
  if (families.length > 1) return "dual";
  return families[0] === "IPv6" ? "ipv6" : "ipv4";
}

/** Undefined for slices that Kubernetes made from pods: those are known from the pods themselves. */
export function endpointSliceFacts(slice: EndpointSlice): EndpointSliceFacts | undefined {
  const labels = labelsOf(slice);
  const serviceName = labels["kubernetes.io/service-name"];
  if (labels["endpointslice.kubernetes.io/managed-by"] === "endpointslice-controller.k8s.io")
    return undefined;
  if (serviceName === undefined || serviceName === "" || slice.addressType === "FQDN") return undefined;
  return {
    namespace: slice.metadata?.namespace ?? "",
    name: slice.metadata?.name ?? "",
    serviceName,
    ports: (slice.ports ?? []).flatMap(({ name = "", port, protocol = "TCP" }) =>
      port === undefined || protocol !== "TCP" ? [] : [{ name, port }],
    ),
    // Null where a controller wrote none.
    endpoints: (slice.endpoints ?? []).map(({ addresses, conditions, targetRef }) => ({
      ips: addresses.flatMap((text) => parseIp(text) ?? []),
      // Absent means unknown, which Kubernetes asks to read as ready.
      healthy: conditions?.ready !== false,
      ...(targetRef?.kind === "Pod" && targetRef.name !== undefined && { podName: targetRef.name }),
    })),
  };
}
