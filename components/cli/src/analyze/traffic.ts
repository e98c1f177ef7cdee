/** Analyzers of traffic rules and of network policies (reference: l7-and-cli §2.4, §2.5, §3.5). */

import { protocolOf } from "../describe/port-protocol.ts";
import { labelsMatch, modeOf, podsOf } from "../mesh-objects/ambient.ts";
import { destinationsOf, isMeshWide, namespaceOfHost, serviceOfHost } from "../mesh-objects/hosts.ts";
import type { MeshObject } from "../mesh-objects/object-set.ts";
import { type Json, jsonAt, objectsAt, textAt, textsAt } from "../output/json.ts";
import { type AnalysisContext, type Analyzer, isSystemNamespace } from "./analyzer.ts";
import { type Message, message } from "./message.ts";

/** As for routes of the Gateway API: files alone tell what is missing in a namespace of which they hold Services. */
function* analyzeDestinations({ objects, hasCluster }: AnalysisContext): Generator<Message> {
  const known = new Set(objects.all("Service").map(({ namespace }) => namespace));
  for (const virtual of objects.all("VirtualService")) {
    for (const { host, port } of uniqueDestinations(virtual)) {
      if (host.includes("*")) continue;
      const service = serviceOfHost(host, virtual.namespace, objects);
      if (service === undefined) {
        const home = namespaceOfHost(host, virtual.namespace);
        if (hasCluster || (home !== undefined && known.has(home)))
          yield message("referencedResourceNotFound", virtual, `Referenced host not found: "${host}"`);
        continue;
      }
      const ports = objectsAt(service.spec, "ports").map(
        (one) => textAt(one, "port") || textAt(one, "number"),
      );
      if (port === "" && ports.length > 1)
        yield message(
          "portSelectorRequired",
          virtual,
          `This VirtualService routes to a service "${host}" that exposes multiple ports [${ports.join(" ")}]. Specifying a port in the destination is required to disambiguate.`,
        );
    }
  }
}

function uniqueDestinations(virtual: MeshObject): ReturnType<typeof destinationsOf> {
  return [...new Map(destinationsOf(virtual).map((one) => [`${one.host} ${one.port}`, one])).values()];
}

function* analyzeConflicts({ objects }: AnalysisContext): Generator<Message> {
  const byHost = new Map<string, MeshObject[]>();
  for (const virtual of objects.all("VirtualService").filter(isMeshWide))
    for (const host of textsAt(virtual.spec, "hosts")) {
      const service = serviceOfHost(host, virtual.namespace, objects);
      const key = service === undefined ? host : `${service.name}.${service.namespace}`;
      byHost.set(key, [...(byHost.get(key) ?? []), virtual]);
    }
  for (const [host, virtual] of byHost) {
    if (virtual.length < 2) continue;
    const names = virtual.map(({ namespace, name }) => `${namespace}/${name}`).join(",");
    for (const one of virtual)
      yield message(
        "conflictingMeshHosts",
        one,
        `The VirtualServices ${names} associated with mesh gateway define the same host ${host} which can lead to undefined behavior. This can be fixed by merging the conflicting VirtualServices into a single resource.`,
      );
  }
}

/** Rules after one that takes everything. */
function* analyzeUnreachable({ objects }: AnalysisContext): Generator<Message> {
  for (const virtual of objects.all("VirtualService"))
    for (const kind of ["http", "tcp", "tls"]) {
      const rules = objectsAt(virtual.spec, kind);
      const last = rules.findIndex((rule) => objectsAt(rule, "match").length === 0);
      for (const [index, rule] of rules.entries())
        if (last >= 0 && index > last)
          yield message(
            "unreachableRule",
            virtual,
            `VirtualService rule ${textAt(rule, "name") || `#${index}`} not used (${kind} rule #${last} before it has no match and takes everything).`,
          );
    }
}

function* analyzeRules({ objects, hasCluster }: AnalysisContext): Generator<Message> {
  for (const rule of objects.all("DestinationRule")) {
    const host = textAt(rule.spec, "host");
    yield* analyzeTls(rule, host);
    if (!hasCluster || host.includes("*")) continue;
    const service = serviceOfHost(host, rule.namespace, objects);
    if (service === undefined) {
      yield message(
        "unknownRuleHost",
        rule,
        `The host ${host} defined in the DestinationRule does not match any services in the mesh.`,
      );
      continue;
    }
    if (service.kind !== "Service") continue;
    const pods = podsOf(service, objects);
    for (const subset of objectsAt(rule.spec, "subsets")) {
      const labels = jsonAt(subset, "labels") ?? {};
      if (pods.length > 0 && !pods.some((pod) => labelsMatch(labels, pod)))
        yield message(
          "emptySubset",
          rule,
          `The Subset ${textAt(subset, "name")} defined in the DestinationRule does not select any pods.`,
        );
    }
  }
}

function* analyzeTls(rule: MeshObject, host: string): Generator<Message> {
  const tls = jsonAt(jsonAt(rule.spec, "trafficPolicy"), "tls");
  const mode = textAt(tls, "mode");
  const isUnverified = textAt(tls, "caCertificates") === "" && textAt(tls, "credentialName") === "";
  if ((mode === "SIMPLE" || mode === "MUTUAL") && isUnverified)
    yield message(
      "noCaCertificates",
      rule,
      `DestinationRule ${rule.name} in namespace ${rule.namespace} has TLS mode set to ${mode} but no caCertificates are set to validate server identity for host: ${host}`,
    );
}

function* analyzePortNames(context: AnalysisContext): Generator<Message> {
  for (const service of context.objects.all("Service")) {
    if (isSystemNamespace(service.namespace, context) || textAt(service.spec, "type") === "ExternalName")
      continue;
    for (const port of objectsAt(service.spec, "ports"))
      if (protocolOf(port) === "auto-detect")
        yield message(
          "portNaming",
          service,
          `Port name ${textAt(port, "name") || "(none)"} (port: ${textAt(port, "port")}, targetPort: ${textAt(port, "targetPort") || textAt(port, "port")}) doesn't follow the naming convention of Istio port.`,
        );
  }
}

const HBONE_PORT = "15008";

/** Between pods of the mesh all traffic arrives at 15008: a policy that names other ports only cuts it. */
function* analyzeNetworkPolicies({ objects }: AnalysisContext): Generator<Message> {
  for (const policy of objects.all("NetworkPolicy")) {
    const selector = jsonAt(jsonAt(policy.spec, "podSelector"), "matchLabels") ?? {};
    const ambient = objects
      .in("Pod", policy.namespace)
      .filter((pod) => labelsMatch(selector, pod) && modeOf(pod, objects) === "ambient");
    const rules = objectsAt(policy.spec, "ingress");
    // Without any rule nobody may come at all, and that is what was wanted.
    if (ambient.length === 0 || rules.length === 0 || rules.some(letsHboneIn)) continue;
    yield message(
      "hboneBlocked",
      policy,
      `It selects pods in ambient mode and lets nobody in at port ${HBONE_PORT}, where all traffic of the mesh arrives: clients in the mesh cannot connect. Permit TCP ${HBONE_PORT}.`,
    );
  }
}

function letsHboneIn(rule: Json): boolean {
  const ports = objectsAt(rule, "ports");
  return (
    ports.length === 0 ||
    ports.some((port) => {
      const [from, until] = [
        Number(textAt(port, "port")),
        Number(textAt(port, "endPort") || textAt(port, "port")),
      ];
      if (textAt(port, "protocol") !== "" && textAt(port, "protocol") !== "TCP") return false;
      return textAt(port, "port") === "" || (from <= Number(HBONE_PORT) && Number(HBONE_PORT) <= until);
    })
  );
}

export const TRAFFIC_ANALYZERS: readonly Analyzer[] = [
  {
    name: "virtualservice.DestinationHostAnalyzer",
    about: "destinations that are not there, or need a port",
    analyze: analyzeDestinations,
  },
  {
    name: "virtualservice.ConflictingMeshGatewayHostsAnalyzer",
    about: "VirtualServices for the same host",
    analyze: analyzeConflicts,
  },
  {
    name: "virtualservice.UnreachableRuleAnalyzer",
    about: "rules behind one that takes everything",
    analyze: analyzeUnreachable,
  },
  {
    name: "destinationrule.Analyzer",
    about: "hosts and subsets that mean nothing, and TLS that verifies nobody",
    analyze: analyzeRules,
  },
  {
    name: "service.PortNameAnalyzer",
    about: "names of ports that say no protocol",
    analyze: analyzePortNames,
  },
  {
    name: "networkpolicy.HboneAnalyzer",
    about: "NetworkPolicies that cut port 15008",
    analyze: analyzeNetworkPolicies,
  },
];
