/**
 * ClusterIP for every pod and node: Services and EndpointSlices become one nftables table per node (the role of kube-proxy).
 * New connections to a service address are translated to one ready endpoint, chosen at random; existing ones stay where they are.
 * Pure: objects in, text for `nft -f -` out.
 */

import { isIPv4, isIPv6 } from "node:net";
import type { EndpointSlice, Service } from "@meltemi/kubernetes";

const TABLE = "inet meltemi-services";

/** nftables refuses bigger maps long after a machine is full; this only stops a runaway list. */
const MAX_ENDPOINTS_PER_PORT = 1000;

interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** One service address and port, and who answers there. */
export interface Frontend {
  readonly address: string;
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  readonly endpoints: readonly Endpoint[];
}

/** What a node forwards. `nodeName` matters for `internalTrafficPolicy: Local`. */
export function frontends(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  nodeName: string,
): readonly Frontend[] {
  const slicesOf = Map.groupBy(slices, (slice) => {
    const owner = slice.metadata?.labels?.["kubernetes.io/service-name"] ?? "";
    return `${slice.metadata?.namespace ?? ""}/${owner}`;
  });
  const found = services.flatMap((service) => {
    const own = slicesOf.get(`${service.metadata?.namespace ?? ""}/${service.metadata?.name ?? ""}`) ?? [];
    return frontendsOf(service, own, nodeName);
  });
  return found.sort((a, b) => compare(keyOf(a), keyOf(b)));
}

function frontendsOf(service: Service, slices: readonly EndpointSlice[], nodeName: string): Frontend[] {
  const spec = service.spec ?? {};
  const addresses = (spec.clusterIPs ?? (spec.clusterIP === undefined ? [] : [spec.clusterIP])).filter(
    isAddress,
  );
  if (spec.type === "ExternalName") return [];
  const localOnly = spec.internalTrafficPolicy === "Local";
  return addresses.flatMap((address) =>
    (spec.ports ?? []).flatMap((port): Frontend[] => {
      const protocol = (port.protocol ?? "TCP").toLowerCase();
      if ((protocol !== "tcp" && protocol !== "udp") || !isPort(port.port)) return [];
      const endpoints = endpointsOf(slices, {
        family: isIPv4(address) ? "IPv4" : "IPv6",
        portName: port.name ?? "",
        protocol: protocol.toUpperCase(),
        nodeName: localOnly ? nodeName : undefined,
      });
      return [{ address, protocol, port: port.port, endpoints }];
    }),
  );
}

interface EndpointQuery {
  readonly family: "IPv4" | "IPv6";
  readonly portName: string;
  readonly protocol: string;
  readonly nodeName: string | undefined;
}

function endpointsOf(slices: readonly EndpointSlice[], query: EndpointQuery): readonly Endpoint[] {
  const found = new Map<string, Endpoint>();
  for (const slice of slices) {
    if (slice.addressType !== query.family) continue;
    const port = slice.ports?.find(
      (candidate) =>
        (candidate.name ?? "") === query.portName && (candidate.protocol ?? "TCP") === query.protocol,
    )?.port;
    if (!isPort(port)) continue;
    for (const endpoint of slice.endpoints ?? []) {
      // Absent means ready: reference Kubernetes API, EndpointConditions.
      if (endpoint.conditions?.ready === false) continue;
      if (query.nodeName !== undefined && endpoint.nodeName !== query.nodeName) continue;
      const address = endpoint.addresses[0];
      if (address === undefined || !isFamily(address, query.family)) continue;
      found.set(`${address} ${port}`, { address, port });
    }
  }
  return [...found.values()]
    .sort((a, b) => compare(`${a.address} ${a.port}`, `${b.address} ${b.port}`))
    .slice(0, MAX_ENDPOINTS_PER_PORT);
}

/** The whole table, replacing the old one in one transaction. */
export function renderRuleset(list: readonly Frontend[]): string {
  const served = list.filter((frontend) => frontend.endpoints.length > 0);
  const empty = list.filter((frontend) => frontend.endpoints.length === 0);
  const lines = [
    `table ${TABLE}`,
    `delete table ${TABLE}`,
    `table ${TABLE} {`,
    ...renderDispatch(
      "services4",
      "ipv4_addr",
      served.filter((frontend) => isIPv4(frontend.address)),
    ),
    ...renderDispatch(
      "services6",
      "ipv6_addr",
      served.filter((frontend) => isIPv6(frontend.address)),
    ),
    ...renderSet("idle4", "ipv4_addr . inet_proto . inet_service", idleKeys(empty, isIPv4)),
    ...renderSet("idle6", "ipv6_addr . inet_proto . inet_service", idleKeys(empty, isIPv6)),
    ...renderSet("hairpin4", "ipv4_addr . ipv4_addr", hairpins(served, isIPv4)),
    ...renderSet("hairpin6", "ipv6_addr . ipv6_addr", hairpins(served, isIPv6)),
    ...served.flatMap(renderFrontend),
    ...FIXED_CHAINS,
    "}",
  ];
  return `${lines.join("\n")}\n`;
}

const FIXED_CHAINS: readonly string[] = [
  "  chain services {",
  "    ip daddr . meta l4proto . th dport vmap @services4",
  "    ip6 daddr . meta l4proto . th dport vmap @services6",
  "  }",
  "  chain idle {",
  // A service without a ready endpoint refuses at once; silence would cost the caller a connect timeout.
  "    ip daddr . meta l4proto . th dport @idle4 reject",
  "    ip6 daddr . meta l4proto . th dport @idle6 reject",
  "  }",
  "  chain prerouting { type nat hook prerouting priority dstnat; policy accept; jump services; }",
  "  chain output { type nat hook output priority -100; policy accept; jump services; }",
  "  chain forward { type filter hook forward priority filter; policy accept; ct state new jump idle; }",
  "  chain local { type filter hook output priority filter; policy accept; ct state new jump idle; }",
  "  chain postrouting {",
  "    type nat hook postrouting priority srcnat; policy accept;",
  // A pod that reaches itself through its service must see another source, or the reply never passes the node.
  "    ip saddr . ip daddr @hairpin4 masquerade",
  "    ip6 saddr . ip6 daddr @hairpin6 masquerade",
  "  }",
];

function renderDispatch(name: string, type: string, list: readonly Frontend[]): string[] {
  const elements = list.map((frontend) => `${keyOf(frontend)} : goto ${chainOf(frontend)}`);
  return [
    `  map ${name} {`,
    `    type ${type} . inet_proto . inet_service : verdict`,
    ...renderElements(elements),
    "  }",
  ];
}

function renderSet(name: string, type: string, elements: readonly string[]): string[] {
  return [`  set ${name} {`, `    type ${type}`, ...renderElements(elements), "  }"];
}

function renderElements(elements: readonly string[]): string[] {
  return elements.length === 0 ? [] : [`    elements = { ${elements.join(",\n      ")} }`];
}

function renderFrontend(frontend: Frontend): string[] {
  const family = isIPv4(frontend.address) ? "ip" : "ip6";
  const targets = frontend.endpoints.map((endpoint) => `${endpoint.address} . ${endpoint.port}`);
  const target =
    targets.length === 1 && frontend.endpoints[0] !== undefined
      ? `dnat ${family} to ${bracketed(frontend.endpoints[0])}`
      : `dnat ${family} addr . port to numgen random mod ${targets.length} map { ${targets
          .map((text, index) => `${index} : ${text}`)
          .join(", ")} }`;
  return [`  chain ${chainOf(frontend)} {`, `    meta l4proto ${frontend.protocol} ${target}`, "  }"];
}

function bracketed(endpoint: Endpoint): string {
  return isIPv6(endpoint.address)
    ? `[${endpoint.address}]:${endpoint.port}`
    : `${endpoint.address}:${endpoint.port}`;
}

/** Only addresses of pods matter, but a pair that no packet has costs nothing. */
function hairpins(list: readonly Frontend[], family: (address: string) => boolean): readonly string[] {
  const addresses = new Set(
    list.flatMap((frontend) => frontend.endpoints.map((endpoint) => endpoint.address)),
  );
  return [...addresses].filter(family).map((address) => `${address} . ${address}`);
}

function idleKeys(list: readonly Frontend[], family: (address: string) => boolean): readonly string[] {
  return list.filter((frontend) => family(frontend.address)).map(keyOf);
}

function keyOf(frontend: Frontend): string {
  return `${frontend.address} . ${frontend.protocol} . ${frontend.port}`;
}

function chainOf(frontend: Frontend): string {
  return `svc-${frontend.address.replaceAll(/[.:]/g, "_")}-${frontend.protocol}-${frontend.port}`;
}

function isAddress(text: string): boolean {
  return isIPv4(text) || isIPv6(text);
}

function isFamily(address: string, family: "IPv4" | "IPv6"): boolean {
  return family === "IPv4" ? isIPv4(address) : isIPv6(address);
}

function isPort(port: number | undefined): port is number {
  return port !== undefined && Number.isInteger(port) && port >= 1 && port <= 65535;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
