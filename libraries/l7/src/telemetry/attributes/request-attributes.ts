/** Envoy's attributes of one request that is over. */

import type { RequestRecord } from "../../proxy/request-record.ts";
import { commonAttributes, headerMap, hostOf, integer, unicode } from "./common-attributes.ts";
import type { AttributeTable } from "./expression.ts";

/** A head's field, empty where it is not there. */
function header(name: string): (record: RequestRecord) => string {
  return ({ context }) => unicode(context.request.headers.get(name) ?? "");
}

export const REQUEST_ATTRIBUTES: AttributeTable<RequestRecord> = {
  ...commonAttributes<RequestRecord>({
    facts: ({ context }) => context,
    endpoint: ({ upstream }) => upstream?.endpoint,
  }),
  request: {
    method: ({ context }) => context.request.method,
    scheme: ({ context }) => context.request.scheme,
    host: ({ context }) => unicode(context.request.authority),
    protocol: ({ context }) => context.request.version,
    path: ({ context }) => unicode(context.request.path),
    url_path: ({ context }) => unicode(splitQuery(context.request.path)[0]),
    query: ({ context }) => unicode(splitQuery(context.request.path)[1]),
    headers: ({ context }) => headerMap(context.request.headers),
    referer: header("referer"),
    useragent: header("user-agent"),
    id: header("x-request-id"),
    time: ({ startedAtMs }) => new Date(startedAtMs),
    duration: ({ durationMs }) => integer(durationMs),
    size: ({ requestBytes }) => integer(requestBytes),
    total_size: ({ requestBytes }) => integer(requestBytes),
  },
  response: {
    code: ({ responseCode }) => integer(responseCode),
    code_details: ({ responseCodeDetails }) => responseCodeDetails,
    flags: ({ responseFlags }) => responseFlags.join(","),
    headers: ({ responseHeaders }) => headerMap(responseHeaders),
    trailers: ({ responseTrailers }) => headerMap(responseTrailers),
    size: ({ responseBytes }) => integer(responseBytes),
    total_size: ({ responseBytes }) => integer(responseBytes),
    grpc_status: ({ grpc }) => (grpc?.status === undefined ? undefined : integer(grpc.status)),
    backend_latency: ({ upstreamServiceTimeMs: ms }) => (ms === undefined ? undefined : integer(ms)),
  },
  upstream: {
    address: ({ upstream }) => upstream?.endpoint && hostOf(upstream.endpoint),
    port: ({ upstream }) => upstream?.endpoint && integer(upstream.endpoint.port),
    transport_failure_reason: ({ upstreamFailure }) => upstreamFailure,
    request_attempt_count: ({ attempts }) => integer(attempts),
  },
  xds: {
    route_name: ({ routeName }) => routeName,
    cluster_name: ({ upstream }) => upstream?.cluster ?? "",
  },
  metadata: { filter_metadata: ({ context }) => context.metadata },
};

function splitQuery(path: string): readonly [path: string, query: string] {
  const cut = path.indexOf("?");
  return cut < 0 ? [path, ""] : [path.slice(0, cut), path.slice(cut + 1)];
}
