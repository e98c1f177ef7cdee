/** ServiceEntry and WorkloadEntry → facts (reference: l7-and-cli §2.7). */

import type { KubernetesObject } from "@meltemi/kubernetes";
import { parseIp } from "@meltemi/model";
import type {
  EntryEndpoint,
  ServiceEntry,
  ServiceEntryPort,
  ServiceResolution,
  WorkloadEntry,
} from "@meltemi/resources";
import type {
  EndpointFacts,
  ServiceEntryFacts,
  ServicePortFacts,
  WorkloadEntryFacts,
} from "../compile/facts.ts";
import { appProtocolOf, createdMs, labelsOf, trafficDistributionOf, waypointRequestOf } from "./labels.ts";

export function workloadEntryFacts(entry: WorkloadEntry, object: KubernetesObject): WorkloadEntryFacts {
  const { namespace, name } = entry.metadata;
  return {
    namespace,
    name,
    labels: labelsOf(object),
    waypoint: waypointRequestOf(object),
    endpoint: endpointFacts(entry),
  };
}

export function serviceEntryFacts(entry: ServiceEntry, object: KubernetesObject): ServiceEntryFacts {
  const { metadata, backends } = entry;
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    createdMs: createdMs(object),
    labels: labelsOf(object),
    waypoint: waypointRequestOf(object),
    hosts: [...new Set(entry.hosts)],
    addresses: entry.addresses.flatMap(addressFacts),
    allocatedAddresses: entry.allocatedAddresses.flatMap(({ value, host }) => {
      const ip = parseIp(value);
      return ip === undefined ? [] : [{ host, ip }];
    }),
    ports: entry.ports.filter(({ protocol }) => protocol.toUpperCase() !== "UDP").map(portFacts),
    location: entry.location,
    resolution: RESOLUTIONS[entry.resolution],
    endpoints: backends.kind === "endpoints" ? backends.endpoints.map(endpointFacts) : [],
    workloadSelector: backends.kind === "selector" ? Object.fromEntries(backends.labels) : undefined,
    subjectAltNames: entry.subjectAltNames,
    trafficDistribution: trafficDistributionOf(object, undefined),
  };
}

/** Which of several addresses a client takes is its own business at L4. */
const RESOLUTIONS: Readonly<Record<ServiceResolution, ServiceEntryFacts["resolution"]>> = {
  none: "none",
  static: "static",
  dns: "dns",
  dnsRoundRobin: "dns",
  dynamicDns: "dynamicDns",
};

function addressFacts(text: string): ServiceEntryFacts["addresses"][number][] {
  const [address = "", length] = text.split("/");
  const ip = parseIp(address);
  if (ip === undefined) return [];
  return length === undefined ? [{ ip }] : [{ ip, prefixLength: Number(length) }];
}

function portFacts({ name, number, protocol, targetPort }: ServiceEntryPort): ServicePortFacts {
  return {
    name,
    port: number,
    // Without a target the port's name decides on the workload, else the same number.
    targetPort: targetPort ?? name,
    appProtocol: appProtocolOf(protocol === "" ? undefined : protocol, name),
  };
}

function endpointFacts(endpoint: EntryEndpoint): EndpointFacts {
  return {
    address: endpointAddress(endpoint.address),
    labels: Object.fromEntries(endpoint.labels),
    ports: Object.fromEntries(endpoint.ports),
    network: endpoint.network,
    locality: endpoint.locality,
    // Zero would take an endpoint out of every choice for good; Istio reads it as not given.
    weight: endpoint.weight || 1,
    serviceAccount: endpoint.serviceAccount,
  };
}

function endpointAddress(text: string): EndpointFacts["address"] {
  if (text === "" || text.startsWith("unix://")) return undefined;
  const ip = parseIp(text);
  return ip === undefined ? { kind: "hostname", hostname: text } : { kind: "ip", ip };
}
