/** What Istio refuses of a VirtualService beyond its schema (reference: l7-and-cli §2.4). Pure. */

import type { DestinationSpec, HttpRouteSpec, VirtualServiceSpec } from "@meltemi/resources";
import { type Findings, shown } from "../findings.ts";
import type { Path } from "../path.ts";
import { isHostname, isHostPatternOrAddress } from "./hosts.ts";

export function checkVirtualService(value: unknown, path: Path, findings: Findings): void {
  const spec = value as VirtualServiceSpec;
  const { hosts = [], gateways = [], http = [], tls = [], tcp = [] } = spec;
  checkHosts(hosts, [...path, "hosts"], findings);
  // Without hosts it is a delegate: another VirtualService says for whom.
  if (hosts.length === 0 && gateways.length > 0)
    findings.error(
      [...path, "hosts"],
      "expected at least one host: only a delegate has none, and a delegate has no gateways",
    );
  if (http.length + tls.length + tcp.length === 0)
    findings.error(path, "expected at least one route in http, tls or tcp, got none");
  if (hosts.includes("*") && (gateways.length === 0 || gateways.includes("mesh")))
    findings.error(
      [...path, "hosts", hosts.indexOf("*")],
      'expected a host of the mesh, got "*": it is for gateways only',
    );
  for (const [index, route] of http.entries())
    checkHttpRoute(route, hosts.length === 0, [...path, "http", index], findings);
  for (const [kind, routes] of [["tls", tls] as const, ["tcp", tcp] as const])
    for (const [index, { route = [] }] of routes.entries()) {
      const at = [...path, kind, index, "route"];
      if (route.length === 0) findings.error(at, "expected at least one destination, got none");
      checkDestinations(route, at, findings);
    }
}

function checkHosts(hosts: readonly string[], path: Path, findings: Findings): void {
  const seen = new Set<string>();
  for (const [index, host] of hosts.entries()) {
    if (!isHostPatternOrAddress(host))
      findings.error(
        [...path, index],
        `expected a host name, *, *.<domain> or an IP address, got ${shown(host)}`,
      );
    if (seen.has(host)) findings.error([...path, index], `expected each host once, got ${shown(host)} again`);
    seen.add(host);
  }
}

function checkHttpRoute(route: HttpRouteSpec, isDelegate: boolean, path: Path, findings: Findings): void {
  if (isDelegate && route.delegate !== undefined)
    findings.error([...path, "delegate"], "expected no delegate: this is one itself, for it has no hosts");
  if (route.route?.length === 0)
    findings.error([...path, "route"], "expected at least one destination, got none");
  checkDestinations(route.route ?? [], [...path, "route"], findings);
  if (route.redirect !== undefined) checkRedirect(route, path, findings);
  if (route.retries?.attempts === 0 && (route.retries.perTryTimeout ?? route.retries.retryOn) !== undefined)
    findings.error(
      [...path, "retries"],
      "expected no perTryTimeout and no retryOn with 0 attempts: nothing is retried",
    );
  const mirrors = [
    ...(route.mirror === undefined ? [] : [[[...path, "mirror"], route.mirror] as const]),
    ...(route.mirrors ?? []).map(
      ({ destination }, index) => [[...path, "mirrors", index, "destination"], destination] as const,
    ),
  ];
  for (const [at, destination] of mirrors) checkDestination(destination, at, findings);
  if (route.mirror !== undefined && (route.mirrors ?? []).length > 0)
    findings.error([...path, "mirror"], "expected one of mirror and mirrors, got both");
}

function checkRedirect(route: HttpRouteSpec, path: Path, findings: Findings): void {
  for (const field of ["rewrite", "fault"] as const)
    if (route[field] !== undefined)
      findings.error(
        [...path, field],
        `expected none beside a redirect, which answers before a ${field} could act`,
      );
  const { redirectCode: code } = route.redirect ?? {};
  if (code !== undefined && code !== 0 && (code < 300 || code > 399))
    findings.error([...path, "redirect", "redirectCode"], `expected a status from 300 to 399, got ${code}`);
}

type Weighted = readonly { readonly destination: DestinationSpec; readonly weight?: number }[];

function checkDestinations(routes: Weighted, path: Path, findings: Findings): void {
  for (const [index, { destination }] of routes.entries())
    checkDestination(destination, [...path, index, "destination"], findings);
  const total = routes.reduce((sum, { weight = 0 }) => sum + weight, 0);
  if (routes.length > 1 && total === 0)
    findings.error(path, "expected weights with a sum above 0 where there are several destinations, got 0");
}

function checkDestination({ host }: DestinationSpec, path: Path, findings: Findings): void {
  if (!isHostname(host))
    findings.error([...path, "host"], `expected the name of a service, got ${shown(host)}`);
}
