/** Envoy's attributes of one connection whose bytes are not read: it has no request and no response. */

import type { TcpRecord } from "../../tcp/tcp-site.ts";
import { addressAttributes, connectionAttributes, integer, peerAttributes } from "./common-attributes.ts";
import type { Attributes } from "./expression.ts";

export function tcpAttributes(record: TcpRecord): Attributes {
  const { connection, endpoint, cluster } = record;
  const { caller, destination, serverName } = connection;
  return {
    get request() {
      return {
        size: integer(record.receivedBytes),
        total_size: integer(record.receivedBytes),
        duration: integer(record.durationMs),
        time: new Date(record.startedAtMs),
      };
    },
    get response() {
      return {
        code: 0n,
        code_details: record.details,
        flags: record.responseFlags.join(","),
        size: integer(record.sentBytes),
        total_size: integer(record.sentBytes),
      };
    },
    get source() {
      return addressAttributes(caller.ip, caller.port);
    },
    get destination() {
      return addressAttributes(destination.ip, destination.port);
    },
    get connection() {
      return { ...connectionAttributes(caller, serverName), termination_details: record.details };
    },
    get upstream() {
      return {
        ...(endpoint !== undefined && addressAttributes(endpoint.ip, endpoint.port)),
        transport_failure_reason: record.upstreamFailure,
      };
    },
    get xds() {
      return { cluster_name: cluster?.name ?? "" };
    },
    metadata: {},
    get filter_state() {
      return peerAttributes(caller, endpoint?.workload);
    },
  };
}
