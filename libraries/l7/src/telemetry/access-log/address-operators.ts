/** Command operators that name places: addresses, clusters, who is there. */

import { formatIdentity } from "@meltemi/model";
import type { RequestRecord } from "../../proxy/request-record.ts";
import {
  type ConnectionFacts,
  type Endpoint,
  hostOf,
  socketAddress,
} from "../attributes/common-attributes.ts";
import type { LogValue, Operator } from "./operators.ts";

/** Of the client's connection. */
function connection(value: (facts: ConnectionFacts) => LogValue): Operator {
  return {
    http: ({ context }: RequestRecord) => value(context),
    tcp: (record) => value(record.connection),
  };
}

function endpoint(value: (endpoint: Endpoint) => LogValue): Operator {
  const of = (found: Endpoint | undefined): LogValue => (found === undefined ? undefined : value(found));
  return { http: ({ upstream }) => of(upstream?.endpoint), tcp: (record) => of(record.endpoint) };
}

const CLUSTER: Operator = {
  http: ({ upstream }) => upstream?.cluster,
  tcp: ({ cluster }) => cluster?.name,
};
const REMOTE = connection(({ caller }) => socketAddress(caller.ip, caller.port));
const REMOTE_IP = connection(({ caller }) => caller.ip);
const REMOTE_PORT = connection(({ caller }) => caller.port);
const UPSTREAM = endpoint(hostOf);

export const ADDRESS_OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["UPSTREAM_HOST", UPSTREAM],
  ["UPSTREAM_REMOTE_ADDRESS", UPSTREAM],
  ["UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", endpoint(({ ip, workload }) => ip ?? workload?.hostname)],
  ["UPSTREAM_REMOTE_PORT", endpoint(({ port }) => port)],
  ["UPSTREAM_CLUSTER", CLUSTER],
  ["UPSTREAM_CLUSTER_RAW", CLUSTER],
  [
    "DOWNSTREAM_LOCAL_ADDRESS",
    connection(({ destination }) => socketAddress(destination.ip, destination.port)),
  ],
  ["DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", connection(({ destination }) => destination.ip)],
  ["DOWNSTREAM_LOCAL_PORT", connection(({ destination }) => destination.port)],
  ["DOWNSTREAM_REMOTE_ADDRESS", REMOTE],
  ["DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", REMOTE_IP],
  ["DOWNSTREAM_REMOTE_PORT", REMOTE_PORT],
  ["DOWNSTREAM_DIRECT_REMOTE_ADDRESS", REMOTE],
  ["DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", REMOTE_IP],
  ["DOWNSTREAM_DIRECT_REMOTE_PORT", REMOTE_PORT],
  ["DOWNSTREAM_PEER_URI_SAN", connection(({ caller }) => caller.identity && formatIdentity(caller.identity))],
  ["REQUESTED_SERVER_NAME", connection(({ serverName }) => serverName)],
]);
