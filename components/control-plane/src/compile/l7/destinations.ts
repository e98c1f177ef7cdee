/** The clusters of one served service: made as routes name them, each once. */

import type { NamespacedHostname } from "@meltemi/model";
import type { Cluster, RouteTarget } from "@meltemi/model/l7";
import { bindingKey, servingWaypoints, waypointKey } from "../binding-report.ts";
import type { ServicePortFacts } from "../facts.ts";
import { serviceHostname } from "../mesh-collections.ts";
import type { WaypointReference } from "../waypoint.ts";
import type { Compilation } from "../workload-parts.ts";
import { type CompiledCluster, compileCluster } from "./cluster.ts";
import { type MergedRule, policyFor, ruleFor } from "./destination-rule.ts";
import type { CredentialFacts } from "./facts.ts";
import { byAge, hostPatterns } from "./hosts.ts";

/** A service as routes find it. */
export interface Host extends NamespacedHostname {
  readonly kind: "Service" | "ServiceEntry";
  readonly name: string;
  readonly ports: readonly ServicePortFacts[];
}

export interface Destination {
  readonly host: string;
  /** Absent: the service's only port, or the one that the request came to. */
  readonly port?: number;
  readonly subset?: string;
}

export interface Destinations {
  /** The name of the cluster, or why there is none. `requestPort`: where the request came to. */
  target(destination: Destination, requestPort: number): RouteTarget;
  /** Cluster of the served service itself, and why it must not be used. */
  own(host: Host, port: ServicePortFacts): { readonly cluster: string; readonly fault: string | undefined };
  /** All that were asked for, in that order. */
  readonly clusters: readonly Cluster[];
}

/** Which ServiceEntry a host means: that of the namespace, else the oldest. A Service comes before all. */
export function findHost(
  hostname: string,
  namespace: string,
  { inputs, read, settings }: Compilation,
): Host | undefined {
  for (const service of read.by(inputs.services, "hostname", hostname))
    return {
      kind: "Service",
      namespace: service.namespace,
      name: service.name,
      hostname: serviceHostname(service, settings),
      ports: service.ports,
    };
  const entries = read.by(inputs.serviceEntries, "host", hostname).toSorted(byAge);
  const entry = entries.find((each) => each.namespace === namespace) ?? entries[0];
  if (entry === undefined) return undefined;
  return { kind: "ServiceEntry", namespace: entry.namespace, name: entry.name, hostname, ports: entry.ports };
}

/** `namespace`: of the served service. */
export function createDestinations(
  compilation: Compilation,
  waypoint: WaypointReference,
  namespace: string,
): Destinations {
  const made = new Map<string, CompiledCluster>();
  const rules = new Map<string, MergedRule | undefined>();

  const ruleOf = (host: Host): MergedRule | undefined => {
    if (!rules.has(host.hostname)) rules.set(host.hostname, lookUpRule(host, waypoint, compilation));
    return rules.get(host.hostname);
  };
  const make = (host: Host, port: ServicePortFacts, subsetName: string | undefined) => {
    const name = clusterName(host, port, subsetName, waypoint, compilation);
    const known = made.get(name);
    if (known !== undefined) return known;
    const rule = ruleOf(host);
    const subset = subsetName === undefined ? undefined : rule?.subsets.get(subsetName);
    const origin = (subsetName && rule?.subsetOrigins.get(subsetName)) || rule?.origin;
    const compiled = compileCluster({
      name,
      origin,
      service: { namespace: host.namespace, hostname: host.hostname },
      port: port.port,
      appProtocol: port.appProtocol,
      subset,
      policy: policyFor(rule, port.port, subset),
      settings: compilation.settings.traffic,
      credential: (secret) => credentialOf(secret, waypoint, compilation),
    });
    made.set(name, compiled);
    return compiled;
  };

  return {
    target(destination, requestPort) {
      const host = findHost(destination.host, namespace, compilation);
      if (host === undefined) return invalid(`service ${destination.host} was not found`);
      const wanted = destination.port ?? onlyPort(host) ?? requestPort;
      const port = host.ports.find((each) => each.port === wanted);
      if (port === undefined) return invalid(`service ${destination.host} has no port ${wanted}`);
      const { subset } = destination;
      if (subset !== undefined && ruleOf(host)?.subsets.get(subset) === undefined)
        return invalid(`no DestinationRule of ${destination.host} has a subset ${subset}`);
      const { cluster, fault } = make(host, port, subset);
      return fault === undefined ? { kind: "cluster", cluster: cluster.name } : invalid(fault);
    },
    own(host, port) {
      const { cluster, fault } = make(host, port, undefined);
      return { cluster: cluster.name, fault };
    },
    get clusters() {
      return [...made.values()].map(({ cluster }) => cluster);
    },
  };
}

function onlyPort({ ports }: Host): number | undefined {
  return ports.length === 1 ? ports[0]?.port : undefined;
}

/** Secrets are those of the waypoint's own namespace. */
function credentialOf(
  secret: string,
  waypoint: WaypointReference,
  { read, inputs }: Compilation,
): CredentialFacts | undefined {
  const found = read.get(inputs.credentials, `${waypoint.namespace}/${secret}`);
  return found?.isForbidden === true ? undefined : found;
}

/** The model bounds it: a message for people. */
const MAX_DETAIL_LENGTH = 512;

export function invalid(detail: string): RouteTarget {
  return { kind: "invalid", detail: detail.slice(0, MAX_DETAIL_LENGTH) };
}

function lookUpRule(
  host: Host,
  waypoint: WaypointReference,
  { inputs, read, settings }: Compilation,
): MergedRule | undefined {
  const rules = hostPatterns(host.hostname).flatMap((pattern) =>
    read.by(inputs.destinationRules, "host", pattern),
  );
  const { rootNamespace: root, clusterDomain } = settings;
  return ruleFor(host.hostname, rules, {
    waypoint: waypoint.namespace,
    service: host.namespace,
    root,
    clusterDomain,
  });
}

/** As Envoy prints it, so that dashboards and logs read the same (reference: l7-and-cli §1.10). */
function clusterName(
  host: Host,
  { port, appProtocol }: ServicePortFacts,
  subset: string | undefined,
  waypoint: WaypointReference,
  { outputs, read }: Compilation,
): string {
  const binding = read.get(outputs.waypointBindings, bindingKey(host.kind, host));
  const isServedHere = binding !== undefined && servingWaypoints(binding).includes(waypointKey(waypoint));
  if (!isServedHere) return `outbound|${port}|${subset ?? ""}|${host.hostname}`;
  const protocol = appProtocol === "tcp" || appProtocol === "tls" ? "tcp" : "http";
  return `inbound-vip|${port}|${subset === undefined ? protocol : `${protocol}/${subset}`}|${host.hostname}`;
}
