/** Envoy's attributes of one request that is over. */

import type { RequestRecord } from "../../proxy/request-record.ts";
import {
  addressAttributes,
  connectionAttributes,
  headerMap,
  integer,
  peerAttributes,
  socketAddress,
  unicode,
} from "./common-attributes.ts";
import type { Attributes } from "./expression.ts";

export function requestAttributes(record: RequestRecord): Attributes {
  const { context, upstream } = record;
  const { caller, destination } = context;
  const endpoint = upstream?.endpoint;
  return {
    get request() {
      return ofRequest(record);
    },
    get response() {
      return ofResponse(record);
    },
    get source() {
      return addressAttributes(caller.ip, caller.port);
    },
    get destination() {
      return addressAttributes(destination.ip, destination.port);
    },
    get connection() {
      return connectionAttributes(caller, context.serverName);
    },
    get upstream() {
      return {
        ...(endpoint !== undefined && addressAttributes(endpoint.ip, endpoint.port)),
        transport_failure_reason: record.upstreamFailure,
        request_attempt_count: integer(record.attempts),
      };
    },
    get xds() {
      return { route_name: record.routeName, cluster_name: upstream?.cluster ?? "" };
    },
    get metadata() {
      return { filter_metadata: context.metadata };
    },
    get filter_state() {
      return peerAttributes(caller, endpoint?.workload);
    },
  };
}

function ofRequest(record: RequestRecord): object {
  const { context, startedAtMs, durationMs, requestBytes } = record;
  const { request } = context;
  const cut = request.path.indexOf("?");
  return {
    method: request.method,
    scheme: request.scheme,
    host: unicode(request.authority),
    protocol: request.version,
    get path() {
      return unicode(request.path);
    },
    get url_path() {
      return unicode(cut < 0 ? request.path : request.path.slice(0, cut));
    },
    get query() {
      return cut < 0 ? "" : unicode(request.path.slice(cut + 1));
    },
    get headers() {
      return headerMap(request.headers);
    },
    get referer() {
      return unicode(request.headers.get("referer") ?? "");
    },
    get useragent() {
      return unicode(request.headers.get("user-agent") ?? "");
    },
    get id() {
      return unicode(request.headers.get("x-request-id") ?? "");
    },
    get time() {
      return new Date(startedAtMs);
    },
    get duration() {
      return integer(durationMs);
    },
    get size() {
      return integer(requestBytes);
    },
    get total_size() {
      return integer(requestBytes);
    },
  };
}

function ofResponse(record: RequestRecord): object {
  const { grpc } = record;
  return {
    get code() {
      return integer(record.responseCode);
    },
    code_details: record.responseCodeDetails,
    get headers() {
      return headerMap(record.responseHeaders);
    },
    get trailers() {
      return headerMap(record.responseTrailers);
    },
    get size() {
      return integer(record.responseBytes);
    },
    get total_size() {
      return integer(record.responseBytes);
    },
    get flags() {
      return record.responseFlags.join(",");
    },
    ...(grpc?.status !== undefined && { grpc_status: integer(grpc.status) }),
    ...(record.upstreamServiceTimeMs !== undefined && {
      backend_latency: integer(record.upstreamServiceTimeMs),
    }),
  };
}

/** Where the request went, as Envoy writes it; undefined when it went nowhere. */
export function upstreamHost({ upstream }: RequestRecord): string | undefined {
  const endpoint = upstream?.endpoint;
  return endpoint && hostOf(endpoint);
}

export function hostOf(endpoint: NonNullable<NonNullable<RequestRecord["upstream"]>["endpoint"]>): string {
  return endpoint.ip === undefined
    ? `${endpoint.workload?.hostname ?? ""}:${endpoint.port}`
    : socketAddress(endpoint.ip, endpoint.port);
}
