/** From the Service that a webhook names to the address of one ready pod behind it: the API server's side has no service proxy. Pure. */
import { at, listAt, numberAt, textAt } from "../json.ts";
import type { ObjectStore } from "../store/object-store.ts";
import type { WebhookAddress } from "./webhook.ts";

export type Resolved =
  | { readonly kind: "address"; readonly host: string; readonly port: number }
  | { readonly kind: "none"; readonly why: string };

type ServiceAddress = Extract<WebhookAddress, { kind: "service" }>;

/** `turn` chooses among several: calls go round. */
export function resolveEndpoint(
  store: Pick<ObjectStore, "get" | "list">,
  address: ServiceAddress,
  turn: number,
): Resolved {
  const { namespace, name, port } = address;
  const service = store.get("/services", namespace, name)?.object;
  if (service === undefined) return { kind: "none", why: `service ${JSON.stringify(name)} not found` };
  const servicePort = listAt(service, "spec", "ports").find((one) => numberAt(one, "port") === port);
  if (servicePort === undefined)
    return { kind: "none", why: `no service port ${port} found for service ${JSON.stringify(name)}` };
  if (textAt(service, "spec", "type") === "ExternalName")
    return { kind: "address", host: textAt(service, "spec", "externalName") ?? "", port };
  const portName = textAt(servicePort, "name") ?? "";
  const ready = store
    .list("discovery.k8s.io/endpointslices", namespace)
    .filter(({ object }) => textAt(object, "metadata", "labels", "kubernetes.io/service-name") === name)
    .flatMap(({ object }) => {
      const target = listAt(object, "ports").find((one) => (textAt(one, "name") ?? "") === portName);
      const targetPort = numberAt(target, "port");
      if (targetPort === undefined) return [];
      return listAt(object, "endpoints")
        .filter((endpoint) => at(endpoint, "conditions", "ready") !== false)
        .flatMap((endpoint) => listAt(endpoint, "addresses").slice(0, 1))
        .map((host) => ({ host: String(host), port: targetPort }));
    });
  const chosen = ready[turn % Math.max(1, ready.length)];
  return chosen === undefined
    ? { kind: "none", why: `no endpoints available for service ${JSON.stringify(name)}` }
    : { kind: "address", ...chosen };
}
