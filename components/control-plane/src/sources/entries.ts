/** ServiceEntry and WorkloadEntry → facts (reference: l7-and-cli §2.7). */

import type { CustomObject } from "@meltemi/kubernetes";
import { type Ip, parseIp } from "@meltemi/model";
import type {
  EndpointFacts,
  ServiceEntryFacts,
  ServicePortFacts,
  WorkloadEntryFacts,
} from "../compile/facts.ts";
import {
  asFields,
  type Fields,
  integerAt,
  labelsAt,
  listAt,
  portsAt,
  textAt,
  textsAt,
} from "./entry-fields.ts";
import { appProtocolOf, createdMs, labelsOf, trafficDistributionOf, waypointRequestOf } from "./labels.ts";

export function workloadEntryFacts(entry: CustomObject): WorkloadEntryFacts {
  return {
    namespace: entry.metadata?.namespace ?? "",
    name: entry.metadata?.name ?? "",
    labels: labelsOf(entry),
    waypoint: waypointRequestOf(entry),
    endpoint: endpointFacts(asFields(entry.spec)),
  };
}

export function serviceEntryFacts(entry: CustomObject): ServiceEntryFacts {
  const spec = asFields(entry.spec);
  const selector = labelsAt(asFields(spec["workloadSelector"]), "labels");
  return {
    namespace: entry.metadata?.namespace ?? "",
    name: entry.metadata?.name ?? "",
    createdMs: createdMs(entry),
    labels: labelsOf(entry),
    waypoint: waypointRequestOf(entry),
    hosts: [...new Set(textsAt(spec, "hosts"))],
    addresses: textsAt(spec, "addresses").flatMap(addressFacts),
    allocatedAddresses: listAt(asFields(entry.status), "addresses").flatMap((item) => {
      const fields = asFields(item);
      const ip = parseIp(textAt(fields, "value"));
      return ip === undefined ? [] : [{ host: textAt(fields, "host"), ip }];
    }),
    ports: listAt(spec, "ports").flatMap(portFacts),
    location: textAt(spec, "location") === "MESH_INTERNAL" ? "internal" : "external",
    resolution: resolutionOf(textAt(spec, "resolution")),
    endpoints: listAt(spec, "endpoints").map((endpoint) => endpointFacts(asFields(endpoint))),
    workloadSelector: Object.keys(selector).length === 0 ? undefined : selector,
    subjectAltNames: textsAt(spec, "subjectAltNames"),
    trafficDistribution: trafficDistributionOf(entry, undefined),
  };
}

function addressFacts(text: string): ServiceEntryFacts["addresses"][number][] {
  const [address = "", length] = text.split("/");
  const ip = parseIp(address);
  if (ip === undefined) return [];
  if (length === undefined) return [{ ip }];
  return /^\d{1,3}$/.test(length) ? [{ ip, prefixLength: Number(length) }] : [];
}

function portFacts(item: unknown): ServicePortFacts[] {
  const fields = asFields(item);
  const port = integerAt(fields, "number", 1, 65_535);
  if (port === undefined) return [];
  const name = textAt(fields, "name");
  const protocol = textAt(fields, "protocol");
  if (protocol.toUpperCase() === "UDP") return [];
  return [
    {
      name,
      port,
      // Without a target the port's name decides on the workload, else the same number.
      targetPort: integerAt(fields, "targetPort", 1, 65_535) ?? name,
      appProtocol: appProtocolOf(protocol === "" ? undefined : protocol, name),
    },
  ];
}

function resolutionOf(text: string): ServiceEntryFacts["resolution"] {
  switch (text) {
    case "STATIC":
      return "static";
    case "DNS":
    case "DNS_ROUND_ROBIN":
      return "dns";
    case "DYNAMIC_DNS":
      return "dynamicDns";
    default:
      return "none";
  }
}

function endpointFacts(spec: Fields): EndpointFacts {
  return {
    address: endpointAddress(textAt(spec, "address")),
    labels: labelsAt(spec, "labels"),
    ports: portsAt(spec, "ports"),
    network: textAt(spec, "network"),
    locality: textAt(spec, "locality"),
    // Zero would take an endpoint out of every choice for good; Istio reads it as not given.
    weight: integerAt(spec, "weight", 1, 1_000_000) ?? 1,
    serviceAccount: textAt(spec, "serviceAccount"),
  };
}

function endpointAddress(text: string): EndpointFacts["address"] {
  if (text === "" || text.startsWith("unix://")) return undefined;
  const ip: Ip | undefined = parseIp(text);
  return ip === undefined ? { kind: "hostname", hostname: text } : { kind: "ip", ip };
}
