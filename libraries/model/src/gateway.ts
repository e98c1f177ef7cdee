/** Which instance of a waypoint or network gateway a reference means (reference: protocol §5.1). */

import { type Ip, isIpv6 } from "./address.ts";
import { type Identity, parseIdentity } from "./identity.ts";
import { selectEndpoint } from "./load-balance.ts";
import { findServiceByVip, findWorkloadByAddress } from "./lookup.ts";
import type { MeshSnapshot } from "./snapshot.ts";
import {
  type GatewayAddress,
  type Service,
  serviceKey,
  type Workload,
  workloadIdentity,
} from "./workload.ts";

/** An instance behind a reference, and the service that it was chosen from. */
export interface GatewayInstance {
  readonly workload: Workload;
  /** Port of its HBONE listener. */
  readonly port: number;
  readonly service?: Service;
}

/** What a reference names, before one instance is chosen. */
type Referent =
  | { readonly kind: "service"; readonly service: Service }
  | { readonly kind: "workload"; readonly workload: Workload };

function findReferent(
  snapshot: MeshSnapshot,
  reference: GatewayAddress,
  source: Workload,
): Referent | undefined {
  const { destination } = reference;
  if (destination.kind === "address") {
    const service = findServiceByVip(snapshot, destination.network, destination.ip, source.namespace);
    if (service !== undefined) return { kind: "service", service };
    const workload = findWorkloadByAddress(snapshot, destination.network, destination.ip);
    return workload === undefined ? undefined : { kind: "workload", workload };
  }
  const service = snapshot.services.get(serviceKey(destination));
  if (service !== undefined) return { kind: "service", service };
  const [workload] = snapshot.workloadsByHostname.get(serviceKey(destination)) ?? [];
  return workload === undefined ? undefined : { kind: "workload", workload };
}

/** Chooses an instance as for any service; undefined when the reference is unknown or has no healthy endpoint. */
export function chooseGateway(
  snapshot: MeshSnapshot,
  reference: GatewayAddress,
  source: Workload,
  random: () => number,
): GatewayInstance | undefined {
  const referent = findReferent(snapshot, reference, source);
  if (referent === undefined) return undefined;
  if (referent.kind === "workload") return { workload: referent.workload, port: reference.hbonePort };
  const { service } = referent;
  if (service.loadBalancing.mode === "passthrough") return undefined;
  const request = { service, servicePort: reference.hbonePort, source, target: "waypoint" } as const;
  const endpoint = selectEndpoint(snapshot, request, random);
  if (endpoint === undefined) return undefined;
  return { workload: endpoint.workload, port: endpoint.targetPort, service };
}

/** True when `source` is one of the instances that the reference means: a waypoint does not go through itself. */
export function isInstanceOf(snapshot: MeshSnapshot, reference: GatewayAddress, source: Workload): boolean {
  const referent = findReferent(snapshot, reference, source);
  if (referent === undefined) return false;
  if (referent.kind === "workload") return referent.workload.uid === source.uid;
  return snapshot.endpoints.get(serviceKey(referent.service))?.get(source.uid) !== undefined;
}

/** `<net>/<ip>` or `<ns>/<host>`, as Istio prints references. */
export function describeGateway(reference: GatewayAddress): string {
  const { destination } = reference;
  return destination.kind === "address"
    ? `${destination.network}/${destination.ip}`
    : `${destination.namespace}/${destination.hostname}`;
}

/** Identities accepted from a server: the service's extra names that parse, then the endpoint's own. */
export function expectedIdentities(
  service: Service | undefined,
  workload: Workload | undefined,
): readonly Identity[] {
  const named = (service?.subjectAltNames ?? []).map(parseIdentity).filter((id) => id !== undefined);
  return workload === undefined ? named : [...named, workloadIdentity(workload)];
}

/** The address by which a workload is reached: the wanted one if it has it, else one of the wanted family, else the first. */
export function pickAddress(
  workload: Workload,
  wanted: Ip | undefined,
  families: Service["ipFamilies"],
): Ip | undefined {
  if (wanted !== undefined && workload.addresses.includes(wanted)) return wanted;
  const permitted = workload.addresses.filter(
    (address) => (families !== "ipv4" || !isIpv6(address)) && (families !== "ipv6" || isIpv6(address)),
  );
  const sameFamily = wanted && permitted.find((address) => isIpv6(address) === isIpv6(wanted));
  return sameFamily ?? permitted[0];
}
