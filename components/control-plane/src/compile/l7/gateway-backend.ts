/** backendRefs of Gateway API routes: what they name, and whether it is there (reference: l7-and-cli §2.6). */

import type { RouteTarget } from "@meltemi/model/l7";
import type { BackendRefSpec } from "@meltemi/resources";
import type { Compilation } from "../workload-parts.ts";
import { type Destinations, findHost, invalid } from "./destinations.ts";

type Named =
  | { readonly kind: "host"; readonly host: string; readonly port: number }
  | {
      readonly kind: "refused";
      readonly reason: "InvalidKind" | "InvalidDestination";
      readonly problem: string;
    };

/** In a mesh a backend of another namespace needs no grant. */
function nameBackend(backend: BackendRefSpec, namespace: string, clusterDomain: string): Named {
  const { group = "", kind = "Service", name, port } = backend;
  if (port === undefined)
    return { kind: "refused", reason: "InvalidDestination", problem: `backend ${name}: expected a port` };
  if (group === "" && kind === "Service")
    return { kind: "host", host: `${name}.${backend.namespace ?? namespace}.svc.${clusterDomain}`, port };
  if (group === "networking.istio.io" && kind === "Hostname") return { kind: "host", host: name, port };
  const problem = `backend ${name}: expected a Service or a Hostname of networking.istio.io, got ${kind} of group ${group || "core"}`;
  return { kind: "refused", reason: "InvalidKind", problem };
}

export function backendTarget(
  backend: BackendRefSpec,
  namespace: string,
  destinations: Destinations,
  port: number,
  clusterDomain: string,
): RouteTarget {
  const named = nameBackend(backend, namespace, clusterDomain);
  return named.kind === "refused" ? invalid(named.problem) : destinations.target(named, port);
}

/** Why `ResolvedRefs` is not true of this backend; undefined when it is. */
export function backendFault(
  backend: BackendRefSpec,
  namespace: string,
  compilation: Compilation,
): { readonly reason: string; readonly message: string } | undefined {
  const named = nameBackend(backend, namespace, compilation.settings.clusterDomain);
  if (named.kind === "refused") return { reason: named.reason, message: named.problem };
  const host = findHost(named.host, namespace, compilation);
  if (host === undefined) return { reason: "BackendNotFound", message: `backend(${named.host}) not found` };
  if (!host.ports.some(({ port }) => port === named.port))
    return { reason: "BackendNotFound", message: `backend(${named.host}) has no port ${named.port}` };
  return undefined;
}
