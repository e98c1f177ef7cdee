/** What all kinds of workloads are made of: ports, policies, names, waypoint, locality (reference: protocol §3.8). */

import type { Locality, Port, Workload } from "@meltemi/model";
import type { EndpointSliceFacts, Labels, ServicePortFacts } from "./facts.ts";
import type { Reader } from "./graph.ts";
import { type MeshInputs, type MeshOutputs, serviceHostname } from "./mesh-collections.ts";
import { isStrictByDefault, oldest, peerAuthenticationKeys } from "./peer-authentication.ts";
import { candidateHints, selects } from "./selectors.ts";
import type { CompileSettings } from "./settings.ts";

export interface Compilation {
  readonly settings: CompileSettings;
  readonly inputs: MeshInputs;
  readonly outputs: MeshOutputs;
  readonly read: Reader;
}

export type ServicePorts = Map<string, readonly Port[]>;

/** A workload with everything that is not said left at its default. */
export function plainWorkload(settings: CompileSettings): Omit<Workload, "uid" | "name" | "namespace"> {
  return {
    addresses: [],
    hostname: "",
    network: "",
    networkMode: "standard",
    tunnelProtocol: "none",
    nativeTunnel: false,
    trustDomain: settings.trustDomain,
    serviceAccount: "default",
    node: "",
    canonicalName: "",
    canonicalRevision: "latest",
    workloadType: "pod",
    workloadName: "",
    clusterId: settings.clusterId,
    locality: { region: "", zone: "", subzone: "" },
    authorizationPolicies: [],
    status: "healthy",
    services: new Map(),
    capacity: 1,
  };
}

/** `target` of each port by number or by the workload's own names; a port that the workload does not have is left out. */
export function resolvePorts(
  ports: readonly ServicePortFacts[],
  resolve: (port: ServicePortFacts) => number | undefined,
): readonly Port[] {
  return ports.flatMap((port) => {
    const targetPort = resolve(port);
    if (targetPort === undefined) return [];
    return [{ servicePort: port.port, targetPort, appProtocol: port.appProtocol }];
  });
}

/** Services and ServiceEntries of the namespace whose selector takes these labels. */
export function selectingServices(
  { inputs, read, settings }: Compilation,
  namespace: string,
  labels: Labels,
  namedPorts: Readonly<Record<string, number>>,
): ServicePorts {
  const found: ServicePorts = new Map();
  const named = (name: string): number | undefined =>
    Object.hasOwn(namedPorts, name) ? namedPorts[name] : undefined;
  for (const hint of candidateHints(namespace, labels)) {
    for (const service of read.by(inputs.services, "selector", hint)) {
      if (!selects(service.selector, labels)) continue;
      const ports = resolvePorts(service.ports, ({ targetPort }) =>
        typeof targetPort === "number" ? targetPort : named(targetPort),
      );
      found.set(`${namespace}/${serviceHostname(service, settings)}`, ports);
    }
    for (const entry of read.by(inputs.serviceEntries, "selector", hint)) {
      if (!selects(entry.workloadSelector ?? {}, labels)) continue;
      const ports = resolvePorts(entry.ports, ({ name, port, targetPort }) =>
        typeof targetPort === "number" ? targetPort : (named(name) ?? port),
      );
      for (const host of entry.hosts) found.set(`${namespace}/${host}`, ports);
    }
  }
  return found;
}

/** The service that a hand-written EndpointSlice speaks for; undefined when there is none, or when it selects its pods itself. */
export function handWrittenService(
  slice: EndpointSliceFacts,
  { inputs, read, settings }: Compilation,
): { readonly key: string; readonly name: string; readonly ports: readonly Port[] } | undefined {
  const service = read.get(inputs.services, `${slice.namespace}/${slice.serviceName}`);
  if (service === undefined || Object.keys(service.selector).length > 0) return undefined;
  const portOf = (name: string): number | undefined =>
    slice.ports.find((candidate) => candidate.name === name)?.port;
  return {
    key: `${slice.namespace}/${serviceHostname(service, settings)}`,
    name: service.name,
    ports: resolvePorts(service.ports, ({ name }) => portOf(name)),
  };
}

/** What a workload's labels say of it, be it a pod or not. */
export function labelledParts(
  compilation: Compilation,
  namespace: string,
  labels: Labels,
  workloadName: string,
): Pick<
  Workload,
  | "network"
  | "nativeTunnel"
  | "canonicalName"
  | "canonicalRevision"
  | "workloadName"
  | "authorizationPolicies"
> {
  return {
    network: networkOf(compilation, labels),
    nativeTunnel: speaksHbone(labels),
    ...canonicalOf(labels, workloadName),
    workloadName,
    authorizationPolicies: policyKeys(compilation, namespace, labels),
  };
}

/** Names of the selector-scoped policies of a workload, sorted. */
function policyKeys(
  { inputs, outputs, read, settings }: Compilation,
  namespace: string,
  labels: Labels,
): readonly string[] {
  const root = settings.rootNamespace;
  const keys = new Set<string>();
  for (const scope of new Set([namespace, root])) {
    for (const hint of candidateHints(scope, labels)) {
      for (const { key, selector } of read.by(outputs.selectorPolicies, "selector", hint))
        if (selects(selector, labels)) keys.add(key);
    }
  }
  // A selector in the root namespace has no meaning for ambient (reference: protocol §5.5).
  const own =
    namespace === root
      ? []
      : candidateHints(namespace, labels).flatMap((hint) =>
          read
            .by(inputs.peerAuthentications, "selector", hint)
            .filter(({ selector }) => selects(selector, labels)),
        );
  const strict = strictByDefault(inputs, read, namespace, root);
  for (const key of peerAuthenticationKeys(oldest(own), strict, root)) keys.add(key);
  return [...keys].sort();
}

export function strictByDefault(inputs: MeshInputs, read: Reader, namespace: string, root: string): boolean {
  const level = (of: string) => oldest(read.by(inputs.peerAuthentications, "default", of));
  return isStrictByDefault(level(root), namespace === root ? undefined : level(namespace));
}

const CANONICAL_NAME_LABELS = ["service.istio.io/canonical-name", "app.kubernetes.io/name", "app"] as const;
const CANONICAL_REVISION_LABELS = [
  "service.istio.io/canonical-revision",
  "app.kubernetes.io/version",
  "version",
] as const;

function canonicalOf(
  labels: Labels,
  workloadName: string,
): Pick<Workload, "canonicalName" | "canonicalRevision"> {
  const first = (names: readonly string[]): string | undefined =>
    names.map((name) => labels[name]).find((value) => value !== undefined && value !== "");
  return {
    canonicalName: first(CANONICAL_NAME_LABELS) ?? workloadName,
    canonicalRevision: first(CANONICAL_REVISION_LABELS) ?? "latest",
  };
}

/** `networking.istio.io/tunnel: http`: a proxy that speaks HBONE by itself. */
function speaksHbone(labels: Labels): boolean {
  return labels["networking.istio.io/tunnel"]?.split(",").includes("http") ?? false;
}

/** The object's own label, else the network of the cluster. */
export function networkOf({ inputs, read, settings }: Compilation, labels: Labels): string {
  const own = labels["topology.istio.io/network"];
  if (own !== undefined && own !== "") return own;
  return read.get(inputs.namespaces, settings.rootNamespace)?.network ?? "";
}

/** `region/zone/subzone`; `.` separates where the text stands in a label. */
export function parseLocality(text: string, separator: "/" | "."): Locality {
  const [region = "", zone = "", subzone = ""] = text.split(separator);
  return { region, zone, subzone };
}
