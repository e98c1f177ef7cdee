/** Attributes that requests and connections have in common. Texts of the wire become Unicode; whole numbers are CEL's `int`. */

import type { HeaderFields } from "@meltemi/http";
import { formatIdentity, type Ip, type Workload, workloadIdentity } from "@meltemi/model";
import type { Caller } from "../../request-context.ts";
import type { ClientConnectionFacts, TcpRecord } from "../../tcp/tcp-site.ts";
import { wireBytes } from "../../text/wire-text.ts";
import type { AttributeTable } from "./expression.ts";

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

/** Where traffic was sent. */
export type Endpoint = NonNullable<TcpRecord["endpoint"]>;

/** As Envoy writes it. */
export function hostOf({ ip, port, workload }: Endpoint): string {
  return ip === undefined ? `${workload?.hostname ?? ""}:${port}` : socketAddress(ip, port);
}

export type ConnectionFacts = Pick<ClientConnectionFacts, "caller" | "destination" | "serverName">;

/** What a record tells of the connection it came on, and where it went. */
export interface Ends<R> {
  readonly facts: (record: R) => ConnectionFacts;
  readonly endpoint: (record: R) => Endpoint | undefined;
}

type CommonVariable = "source" | "destination" | "connection" | "filter_state";

export function commonAttributes<R>({ facts, endpoint }: Ends<R>): Pick<AttributeTable<R>, CommonVariable> {
  return {
    source: {
      address: (record) => addressOf(facts(record).caller),
      port: (record) => integer(facts(record).caller.port),
    },
    destination: {
      address: (record) => addressOf(facts(record).destination),
      port: (record) => integer(facts(record).destination.port),
    },
    connection: {
      mtls: (record) => facts(record).caller.identity !== undefined,
      requested_server_name: (record) => {
        const { serverName } = facts(record);
        return serverName && unicode(serverName);
      },
      uri_san_peer_certificate: (record) => {
        const { identity } = facts(record).caller;
        return identity && formatIdentity(identity);
      },
    },
    filter_state: {
      downstream_peer: (record) => callingPeer(facts(record).caller),
      upstream_peer: (record) => {
        const workload = endpoint(record)?.workload;
        return workload && peer(workload);
      },
    },
  };
}

function addressOf({ ip, port }: { readonly ip: Ip; readonly port: number }): string {
  return socketAddress(ip, port);
}

function callingPeer({ workload, labels }: Caller): object | undefined {
  return workload && { ...peer(workload), labels: new Map(Object.entries(labels)) };
}

/** Under the names of Istio's proxies. */
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
