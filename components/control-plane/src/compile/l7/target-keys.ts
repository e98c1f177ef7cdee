/** Names under which collections index what points at other objects. */

import type { ParentRefSpec, TargetRef, TokenRule } from "@meltemi/resources";

/** Index value of a targetRef. Policies point at objects of their own namespace; at classes, from the root namespace. */
export function targetKey({ kind, group, name }: TargetRef, namespace: string): string | undefined {
  switch (`${kind}.${group === "core" ? "" : group}`) {
    case "Service.":
    case "ServiceEntry.networking.istio.io":
    case "Gateway.gateway.networking.k8s.io":
    case "GatewayClass.gateway.networking.k8s.io":
      return `${kind}/${namespace}/${name}`;
    default:
      return undefined;
  }
}

/** Index value of the parents of a route; undefined for one that is no service. */
export function parentKey(
  { group = "gateway.networking.k8s.io", kind = "Gateway", name, namespace }: ParentRefSpec,
  routeNamespace: string,
): string | undefined {
  const isService = (group === "" || group === "core") && kind === "Service";
  const isEntry = group === "networking.istio.io" && kind === "ServiceEntry";
  return isService || isEntry ? `${kind}/${namespace ?? routeNamespace}/${name}` : undefined;
}

/** Key of a set of keys that must be fetched. */
export function keySetKey(keys: Exclude<TokenRule["keys"], { readonly kind: "inline" }>): string {
  return keys.kind === "uri" ? `uri:${keys.uri}` : `issuer:${keys.issuer}`;
}
