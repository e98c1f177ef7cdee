/** Which cluster a connection goes to whose bytes are not read (reference: l7-and-cli §2.4 `tls`, `tcp`). Pure. */

import { type Cidr, cidrContains, type Ip, parseCidr, parseIp } from "@meltemi/model";
import type { SourceMatch, TcpRoute } from "@meltemi/model/l7";
import type { Caller } from "../request-context.ts";
import { sourceMatches } from "../routing/source-match.ts";

export interface TcpFacts {
  readonly caller: Caller;
  readonly destinationIp: Ip;
  /** In lower case; undefined without TLS, or without a name in it. */
  readonly serverName: string | undefined;
}

export type TcpDecision =
  | { readonly kind: "cluster"; readonly cluster: string }
  /** No route was given at all: the service itself. */
  | { readonly kind: "default" }
  /** Routes are there, and none takes it; or its share has no backend. */
  | { readonly kind: "refuse"; readonly detail: string };

interface CompiledMatch {
  readonly subnets: readonly Cidr[];
  /** A subnet that cannot be read matches nothing: it must not come to match everything. */
  readonly source: SourceMatch | undefined;
  readonly sniHosts: readonly string[];
  readonly isBroken: boolean;
}

interface CompiledRoute {
  readonly matches: readonly CompiledMatch[];
  readonly targets: TcpRoute["targets"];
  readonly totalWeight: number;
}

export interface TcpRouteTable {
  readonly routes: readonly CompiledRoute[];
  /** Some route looks at the TLS name: the first bytes have to be read before a decision. */
  readonly asksForServerName: boolean;
}

export function compileTcpRoutes(routes: readonly TcpRoute[]): TcpRouteTable {
  return {
    routes: routes.map(({ matches, targets }) => ({
      matches: matches.map(compileMatch),
      targets,
      totalWeight: targets.reduce((sum, { weight }) => sum + weight, 0),
    })),
    asksForServerName: routes.some(({ matches }) => matches.some(({ sniHosts }) => sniHosts.length > 0)),
  };
}

function compileMatch(match: TcpRoute["matches"][number]): CompiledMatch {
  const subnets = match.destinationSubnets.map(readSubnet);
  return {
    subnets: subnets.filter((subnet) => subnet !== undefined),
    source: match.source,
    sniHosts: match.sniHosts.map((host) => host.toLowerCase()),
    isBroken: subnets.includes(undefined),
  };
}

/** An address without a length is a network of its own. */
function readSubnet(text: string): Cidr | undefined {
  const address = parseIp(text);
  return parseCidr(address === undefined ? text : `${text}/${address.includes(":") ? 128 : 32}`);
}

/** `random` gives numbers in [0, 1). */
export function decideTcpRoute(table: TcpRouteTable, facts: TcpFacts, random: () => number): TcpDecision {
  if (table.routes.length === 0) return { kind: "default" };
  const route = table.routes.find(
    ({ matches }) => matches.length === 0 || matches.some((match) => holds(match, facts)),
  );
  if (route === undefined) return { kind: "refuse", detail: "no route matches the connection" };
  if (route.totalWeight <= 0) return { kind: "refuse", detail: "no destination of the route has a weight" };
  let left = random() * route.totalWeight;
  for (const { target, weight } of route.targets) {
    left -= weight;
    if (left >= 0) continue;
    return target.kind === "cluster" ? target : { kind: "refuse", detail: target.detail };
  }
  return { kind: "refuse", detail: "no destination of the route has a weight" };
}

function holds(match: CompiledMatch, { caller, destinationIp, serverName }: TcpFacts): boolean {
  const { subnets, source, sniHosts, isBroken } = match;
  if (isBroken && subnets.length === 0) return false;
  if (subnets.length > 0 && !subnets.some((subnet) => cidrContains(subnet, destinationIp))) return false;
  if (source !== undefined && !sourceMatches(source, caller)) return false;
  return (
    sniHosts.length === 0 ||
    (serverName !== undefined && sniHosts.some((host) => namesHost(host, serverName)))
  );
}

/** `*.example.com` is any name below it, `*` any name. */
function namesHost(pattern: string, name: string): boolean {
  if (!pattern.startsWith("*")) return pattern === name;
  const suffix = pattern.slice(1);
  return name.length > suffix.length && name.endsWith(suffix);
}
