/** What a client would dial: a service, a pod, a host name or an address (the second word of `explain`). Pure. */

import {
  findAddress,
  type Ip,
  type MeshSnapshot,
  parseIp,
  parseSocketAddress,
  type Service,
  type SocketAddress,
  type Workload,
} from "@meltemi/model";
import { MeshError } from "@meltemi/runtime";
import { parseTarget } from "../reach/target.ts";

export interface Destination {
  /** For people: `service shop/server`. */
  readonly name: string;
  readonly address: SocketAddress;
  /** As a client would write it into a URL. */
  readonly host: string;
  readonly service: Service | undefined;
}

/** Throws INPUT_INVALID or NOT_FOUND, with what there is instead. */
export function findDestination(
  snapshot: MeshSnapshot,
  text: string,
  source: Pick<Workload, "namespace" | "network">,
  defaultNamespace: string,
): Destination {
  const { host, port } = splitPort(text);
  const ip = parseIp(host);
  if (ip !== undefined) return byAddress(snapshot, { ip, port: required(port, text) }, source);
  const [named] = snapshot.servicesByHostname.get(host) ?? [];
  if (named !== undefined) return ofService(snapshot, named, port, source);
  const target = parseTarget(host, defaultNamespace, "service");
  const key = `${target.namespace}/${target.name}`;
  if (target.kind === "pod") {
    const [pod] = snapshot.workloadsByName.get(key) ?? [];
    const address = pod?.addresses[0];
    if (pod === undefined || address === undefined)
      throw new MeshError("NOT_FOUND", `pod ${key} is not known to the client's ztunnel`);
    return {
      name: `pod ${key}`,
      address: { ip: address, port: required(port, text) },
      host: address,
      service: undefined,
    };
  }
  const service = findService(snapshot, target.namespace, target.name);
  if (service === undefined)
    throw new MeshError(
      "NOT_FOUND",
      `service ${key} is not known to the client's ztunnel; expected <service>[.<namespace>][:<port>], pod/<name>, a host name or <ip>:<port>`,
    );
  return ofService(snapshot, service, port, source);
}

function findService(snapshot: MeshSnapshot, namespace: string, name: string): Service | undefined {
  let found: Service | undefined;
  snapshot.services.forEach((service) => {
    if (service.namespace === namespace && service.name === name) found = service;
  });
  return found;
}

function ofService(
  snapshot: MeshSnapshot,
  service: Service,
  port: number | undefined,
  { network }: Pick<Workload, "network">,
): Destination {
  const name = `service ${service.namespace}/${service.name}`;
  const chosen = port ?? onlyPort(service, name);
  const vip = (service.vips.find((one) => one.network === network) ?? service.vips[0])?.ip;
  if (vip !== undefined) return { name, address: { ip: vip, port: chosen }, host: service.hostname, service };
  const headless = headlessAddress(snapshot, service, chosen);
  if (headless === undefined)
    throw new MeshError("NOT_FOUND", `${name} has neither an address of its own nor a pod that has one`);
  return { name: `${name} (headless)`, address: headless, host: service.hostname, service };
}

/** DNS gives a client the addresses of the pods; it dials the port that it was told, as it is. */
function headlessAddress(snapshot: MeshSnapshot, service: Service, port: number): SocketAddress | undefined {
  let ip: Ip | undefined;
  snapshot.endpoints.get(`${service.namespace}/${service.hostname}`)?.forEach((workload) => {
    ip ??= workload.addresses[0];
  });
  return ip && { ip, port };
}

function onlyPort(service: Service, name: string): number {
  const ports = service.ports.map(({ servicePort }) => servicePort);
  const [only] = ports;
  if (only !== undefined && ports.length === 1) return only;
  throw new MeshError(
    "INPUT_INVALID",
    `${name}: which port? Expected one of ${ports.join(", ")} after a colon`,
  );
}

function byAddress(
  snapshot: MeshSnapshot,
  address: SocketAddress,
  source: Pick<Workload, "namespace" | "network">,
): Destination {
  const found = findAddress(snapshot, source.network, address.ip, source.namespace);
  const host = address.ip;
  if (found?.kind === "service")
    return {
      name: `service ${found.service.namespace}/${found.service.name}`,
      address,
      host,
      service: found.service,
    };
  const name =
    found === undefined ? "outside the mesh" : `pod ${found.workload.namespace}/${found.workload.name}`;
  return { name, address, host, service: undefined };
}

function splitPort(text: string): { readonly host: string; readonly port: number | undefined } {
  const whole = parseSocketAddress(text);
  if (whole !== undefined) return { host: whole.ip, port: whole.port };
  if (parseIp(text) !== undefined) return { host: text, port: undefined };
  const match = /^(.*?)(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[2] === undefined ? undefined : Number(match[2]);
  if (match === null || (port !== undefined && (port < 1 || port > 65_535)))
    throw new MeshError(
      "INPUT_INVALID",
      `read ${JSON.stringify(text.slice(0, 300))}: expected a port from 1 to 65535`,
    );
  return { host: match[1] ?? "", port };
}

function required(port: number | undefined, text: string): number {
  if (port !== undefined) return port;
  throw new MeshError("INPUT_INVALID", `${text}: which port? Expected it after a colon`);
}
