/** Service and ServiceEntry → Service (reference: protocol §3.8, l7-and-cli §2.7). */

import type { LoadBalancing, NetworkAddress, Port, Service } from "@meltemi/model";
import { parseCidr } from "@meltemi/model";
import { bindingKey } from "./binding-report.ts";
import type { ServiceEntryFacts, ServiceFacts, TrafficDistribution } from "./facts.ts";
import type { Output } from "./graph.ts";
import { serviceHostname } from "./mesh-collections.ts";
import { oldest } from "./peer-authentication.ts";
import { unusableWaypoint } from "./waypoint-guard.ts";
import { type Compilation, networkOf } from "./workload-parts.ts";

export function compileService(service: ServiceFacts, compilation: Compilation): readonly Output<Service>[] {
  const { namespace, name } = service;
  const hostname = serviceHostname(service, compilation.settings);
  const network = networkOf(compilation, {});
  const value: Service = {
    name,
    namespace,
    hostname,
    vips: service.vips.map((ip) => ({ network, ip })),
    cidrVips: [],
    ports: service.ports.map(({ port, targetPort, appProtocol }) => ({
      servicePort: port,
      // Zero: a named port, which each workload resolves for itself.
      targetPort: typeof targetPort === "number" ? targetPort : 0,
      appProtocol,
    })),
    subjectAltNames: [],
    ...serviceWaypoint("Service", service, compilation),
    loadBalancing: loadBalancingOf(service),
    ipFamilies: service.ipFamilies,
    canonical: true,
    visibility: "public",
  };
  return [{ key: `${namespace}/${hostname}`, value }];
}

export function compileServiceEntry(
  entry: ServiceEntryFacts,
  compilation: Compilation,
): readonly Output<Service>[] {
  const { namespace, name } = entry;
  const network = networkOf(compilation, {});
  const guard = serviceWaypoint("ServiceEntry", entry, compilation);
  return entry.hosts.flatMap((hostname): Output<Service>[] => {
    const standing = hostStanding(entry, hostname, compilation);
    if (standing === "shadowed") return [];
    // Nobody but a waypoint can tell which name of a wildcard was meant.
    const needsWaypoint = entry.resolution === "dynamicDns" || hostname.startsWith("*");
    if (needsWaypoint && guard.waypoint === undefined) return [];
    const value: Service = {
      name,
      namespace,
      hostname,
      ...addressesOf(entry, hostname, network),
      ports: entry.ports.map(
        ({ port, targetPort, appProtocol }): Port => ({
          servicePort: port,
          targetPort: typeof targetPort === "number" ? targetPort : port,
          appProtocol,
        }),
      ),
      subjectAltNames: entry.subjectAltNames,
      ...guard,
      loadBalancing:
        entry.resolution === "none"
          ? { routingPreferences: [], mode: "passthrough", healthPolicy: "allowAll" }
          : distribution(entry.trafficDistribution, "onlyHealthy"),
      ipFamilies: "automatic",
      canonical: standing === "canonical",
      visibility: "public",
    };
    return [{ key: `${namespace}/${hostname}`, value }];
  });
}

/** A Service owns its hostname; among ServiceEntries the oldest does, in the mesh (canonical) and in its namespace. */
function hostStanding(
  entry: ServiceEntryFacts,
  hostname: string,
  { inputs, read }: Compilation,
): "canonical" | "other" | "shadowed" {
  const services = read.by(inputs.services, "hostname", hostname);
  if (services.some(({ namespace }) => namespace === entry.namespace)) return "shadowed";
  const rivals = read.by(inputs.serviceEntries, "host", hostname);
  const isFirst = (among: readonly ServiceEntryFacts[]): boolean => {
    const first = oldest(among);
    return first?.namespace === entry.namespace && first.name === entry.name;
  };
  if (!isFirst(rivals.filter(({ namespace }) => namespace === entry.namespace))) return "shadowed";
  return services.length === 0 && isFirst(rivals) ? "canonical" : "other";
}

function addressesOf(
  entry: ServiceEntryFacts,
  hostname: string,
  network: string,
): Pick<Service, "vips" | "cidrVips"> {
  const vips: NetworkAddress[] = [];
  const cidrVips: Service["cidrVips"][number][] = [];
  for (const { ip, prefixLength } of entry.addresses) {
    const cidr = prefixLength === undefined ? undefined : parseCidr(`${ip}/${prefixLength}`);
    if (cidr === undefined || cidr.prefixLength === cidr.bytes.length * 8) vips.push({ network, ip });
    else cidrVips.push({ network, cidr });
  }
  // Allocated addresses stand in where none were given.
  if (entry.addresses.length > 0) return { vips, cidrVips };
  const allocated = entry.allocatedAddresses.filter(({ host }) => host === hostname);
  return { vips: allocated.map(({ ip }) => ({ network, ip })), cidrVips };
}

function loadBalancingOf(service: ServiceFacts): LoadBalancing {
  const healthPolicy = service.publishNotReady ? "allowAll" : "onlyHealthy";
  if (service.localTrafficOnly) return { routingPreferences: ["node"], mode: "strict", healthPolicy };
  return distribution(service.trafficDistribution, healthPolicy);
}

function distribution(
  choice: TrafficDistribution,
  healthPolicy: LoadBalancing["healthPolicy"],
): LoadBalancing {
  switch (choice) {
    case "preferSameZone":
      return { routingPreferences: ["network", "region", "zone"], mode: "failover", healthPolicy };
    case "preferSameNode":
      return {
        routingPreferences: ["network", "region", "zone", "subzone", "node"],
        mode: "failover",
        healthPolicy,
      };
    default:
      return { routingPreferences: [], mode: "standard", healthPolicy };
  }
}

/** What clients are told: two waypoints with their shares while there is a canary. */
function serviceWaypoint(
  kind: "Service" | "ServiceEntry",
  object: ServiceFacts | ServiceEntryFacts,
  { outputs, read }: Compilation,
): Pick<Service, "waypoint" | "weightedWaypoints" | "ingressUseWaypoint"> {
  const report = read.get(outputs.waypointBindings, bindingKey(kind, object));
  if (report?.binding?.kind !== "bound") {
    if (report?.demand === undefined) return { weightedWaypoints: [], ingressUseWaypoint: false };
    return { waypoint: unusableWaypoint(report), weightedWaypoints: [], ingressUseWaypoint: true };
  }
  const { binding, canary, ingressUseWaypoint = false } = report;
  const weightedWaypoints =
    canary?.kind === "weighted"
      ? [
          { waypoint: binding.address, weight: 100 - canary.weight },
          { waypoint: canary.address, weight: canary.weight },
        ]
      : [];
  return { waypoint: binding.address, weightedWaypoints, ingressUseWaypoint };
}
