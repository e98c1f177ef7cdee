/** Which service a host of a route or rule means (reference: l7-and-cli §2.4, §2.6). Pure. */

import { jsonAt, objectsAt, textAt, textsAt } from "../output/json.ts";
import type { MeshObject, ObjectSet } from "./object-set.ts";

/** Short names are completed with the namespace of the object that says them. */
export function serviceOfHost(host: string, namespace: string, objects: ObjectSet): MeshObject | undefined {
  const [name = "", second, third] = host.split(".");
  if (second === undefined) return objects.get("Service", namespace, name);
  const isService = third === undefined || third === "svc";
  const found = isService ? objects.get("Service", second, name) : undefined;
  return found ?? serviceEntryOfHost(host, objects);
}

/** The namespace in which a host would be a Service; undefined for a name that only a ServiceEntry could have. */
export function namespaceOfHost(host: string, namespace: string): string | undefined {
  const [, second, third] = host.split(".");
  if (second === undefined) return namespace;
  return third === undefined || third === "svc" ? second : undefined;
}

function serviceEntryOfHost(host: string, objects: ObjectSet): MeshObject | undefined {
  return objects
    .all("ServiceEntry")
    .find(({ spec }) =>
      textsAt(spec, "hosts").some(
        (one) => one === host || (one.startsWith("*.") && host.endsWith(one.slice(1))),
      ),
    );
}

/** A DestinationRule or VirtualService that is about this service. */
export function isAbout(host: string, object: MeshObject, service: MeshObject, objects: ObjectSet): boolean {
  const meant = serviceOfHost(host, object.namespace, objects);
  return meant !== undefined && meant.name === service.name && meant.namespace === service.namespace;
}

/** Routes of the Gateway API and VirtualServices that take traffic of the service. */
export function routesOf(service: MeshObject, objects: ObjectSet): readonly MeshObject[] {
  const gamma = ["HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"]
    .flatMap((kind) => objects.all(kind))
    .filter((route) => meshParentsOf(route).some((parent) => isParent(parent, service)));
  const virtual = objects
    .all("VirtualService")
    .filter(
      (one) =>
        isMeshWide(one) && textsAt(one.spec, "hosts").some((host) => isAbout(host, one, service, objects)),
    );
  return [...gamma, ...virtual];
}

/** No gateway is named, or `mesh` among them. */
export function isMeshWide({ spec }: MeshObject): boolean {
  const gateways = textsAt(spec, "gateways");
  return gateways.length === 0 || gateways.includes("mesh");
}

export interface RouteParent {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Parents that are services, not gateways. */
export function meshParentsOf(route: MeshObject): readonly RouteParent[] {
  return objectsAt(route.spec, "parentRefs")
    .map((ref) => ({
      kind: textAt(ref, "kind") || "Gateway",
      namespace: textAt(ref, "namespace") || route.namespace,
      name: textAt(ref, "name"),
    }))
    .filter(({ kind }) => kind === "Service" || kind === "ServiceEntry");
}

function isParent(parent: RouteParent, service: MeshObject): boolean {
  return (
    parent.kind === service.kind && parent.namespace === service.namespace && parent.name === service.name
  );
}

/** Destinations that a VirtualService names, with the port that each asks for. */
export function destinationsOf({
  spec,
}: MeshObject): readonly { readonly host: string; readonly port: string; readonly subset: string }[] {
  return ["http", "tcp", "tls"].flatMap((kind) =>
    objectsAt(spec, kind).flatMap((rule) =>
      [...objectsAt(rule, "route"), ...objectsAt(rule, "mirrors"), ...single(jsonAt(rule, "mirror"))].map(
        (entry) => {
          const destination = jsonAt(entry, "destination") ?? entry;
          return {
            host: textAt(destination, "host"),
            port: textAt(jsonAt(destination, "port"), "number"),
            subset: textAt(destination, "subset"),
          };
        },
      ),
    ),
  );
}

/** `namespace/name` of a route's backends, or hosts of a VirtualService's destinations, that no object stands behind. */
export function missingDestinations(route: MeshObject, objects: ObjectSet): readonly string[] {
  const missing =
    route.kind === "VirtualService"
      ? destinationsOf(route)
          .map(({ host }) => host)
          .filter(
            (host) => !host.includes("*") && serviceOfHost(host, route.namespace, objects) === undefined,
          )
      : backendsOf(route)
          .filter(({ kind, namespace, name }) => objects.get(kind, namespace, name) === undefined)
          .map(({ namespace, name }) => `${namespace}/${name}`);
  return [...new Set(missing)];
}

/** Those that are Services; what else a `backendRef` may be is for the control plane to say. */
function backendsOf(route: MeshObject): readonly RouteParent[] {
  return objectsAt(route.spec, "rules")
    .flatMap((rule) => objectsAt(rule, "backendRefs"))
    .map((ref) => ({
      kind: textAt(ref, "kind") || "Service",
      namespace: textAt(ref, "namespace") || route.namespace,
      name: textAt(ref, "name"),
    }))
    .filter(({ kind }) => kind === "Service");
}

function single<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}
