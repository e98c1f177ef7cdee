/** Attributes that requests and connections have in common. Texts of the wire become Unicode; whole numbers are CEL's `int`. */

import type { HeaderFields } from "@meltemi/http";
import { formatIdentity, type Ip, type Workload, workloadIdentity } from "@meltemi/model";
import type { Caller } from "../../request-context.ts";
import { wireBytes } from "../../text/wire-text.ts";

const decoder = new TextDecoder();

/** A text of the wire, where each character is a byte, as Unicode. */
export function unicode(text: string): string {
  const bytes = wireBytes(text);
  return typeof bytes === "string" ? bytes : decoder.decode(bytes);
}

export function integer(value: number): bigint {
  return BigInt(Math.round(value));
}

/** Several fields of one name are one value. */
export function headerMap(headers: HeaderFields | undefined): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  const flat = headers?.flat ?? [];
  for (let at = 0; at < flat.length; at += 2) {
    const name = flat[at] ?? "";
    const value = unicode(flat[at + 1] ?? "");
    const before = map.get(name);
    map.set(name, before === undefined ? value : `${before},${value}`);
  }
  return map;
}

export function socketAddress(address: Ip, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

export function addressAttributes(address: Ip | undefined, port: number): object {
  return {
    ...(address !== undefined && { address: socketAddress(address, port) }),
    port: integer(port),
  };
}

export function connectionAttributes(caller: Caller, serverName: string | undefined): object {
  return {
    mtls: caller.identity !== undefined,
    ...(serverName !== undefined && { requested_server_name: unicode(serverName) }),
    ...(caller.identity !== undefined && { uri_san_peer_certificate: formatIdentity(caller.identity) }),
  };
}

/** What Istio's proxies know of the workloads at both ends, under its names. */
export function peerAttributes(caller: Caller, upstream: Workload | undefined): object {
  return {
    ...(caller.workload !== undefined && {
      downstream_peer: { ...peer(caller.workload), labels: new Map(Object.entries(caller.labels)) },
    }),
    ...(upstream !== undefined && { upstream_peer: peer(upstream) }),
  };
}

function peer(workload: Workload): object {
  return {
    name: workload.name,
    namespace: workload.namespace,
    workload: workload.workloadName,
    service: workload.canonicalName,
    revision: workload.canonicalRevision,
    app: workload.canonicalName,
    version: workload.canonicalRevision,
    cluster: workload.clusterId,
    type: workload.workloadType,
    identity: formatIdentity(workloadIdentity(workload)),
  };
}
