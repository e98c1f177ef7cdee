/** Envoy's attributes of one connection whose bytes are not read: it has no request and no answer. */

import type { TcpRecord } from "../../tcp/tcp-site.ts";
import { commonAttributes, hostOf, integer } from "./common-attributes.ts";
import type { AttributeTable } from "./expression.ts";

const COMMON = commonAttributes<TcpRecord>({
  facts: ({ connection }) => connection,
  endpoint: ({ endpoint }) => endpoint,
});

export const TCP_ATTRIBUTES: AttributeTable<TcpRecord> = {
  ...COMMON,
  request: {
    size: ({ receivedBytes }) => integer(receivedBytes),
    total_size: ({ receivedBytes }) => integer(receivedBytes),
    duration: ({ durationMs }) => integer(durationMs),
    time: ({ startedAtMs }) => new Date(startedAtMs),
  },
  response: {
    code: () => 0n,
    code_details: ({ details }) => details,
    flags: ({ responseFlags }) => responseFlags.join(","),
    size: ({ sentBytes }) => integer(sentBytes),
    total_size: ({ sentBytes }) => integer(sentBytes),
  },
  connection: { ...COMMON.connection, termination_details: ({ details }) => details },
  upstream: {
    address: ({ endpoint }) => endpoint && hostOf(endpoint),
    port: ({ endpoint }) => endpoint && integer(endpoint.port),
    transport_failure_reason: ({ upstreamFailure }) => upstreamFailure,
  },
  xds: { cluster_name: ({ cluster }) => cluster?.name ?? "" },
  metadata: {},
};
