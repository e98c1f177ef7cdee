/** Routes of Gateway API, checked; libraries and components give them meaning. */

import { parseStored, type Stored } from "../parse-object.ts";
import type { Parsed } from "../problem.ts";
import type { GRPCRouteSpec, HTTPRouteSpec, StreamRouteSpec } from "./route-spec.ts";
import { GRPC_ROUTE_SPEC, HTTP_ROUTE_SPEC } from "./routes.ts";
import { TCP_ROUTE_SPEC, TLS_ROUTE_SPEC } from "./stream-routes.ts";

export function parseHttpRoute(value: unknown): Parsed<Stored<HTTPRouteSpec>> {
  return parseStored("HTTPRoute", HTTP_ROUTE_SPEC, value);
}

export function parseGrpcRoute(value: unknown): Parsed<Stored<GRPCRouteSpec>> {
  return parseStored("GRPCRoute", GRPC_ROUTE_SPEC, value);
}

export function parseTcpRoute(value: unknown): Parsed<Stored<StreamRouteSpec>> {
  return parseStored("TCPRoute", TCP_ROUTE_SPEC, value);
}

export function parseTlsRoute(value: unknown): Parsed<Stored<StreamRouteSpec>> {
  return parseStored("TLSRoute", TLS_ROUTE_SPEC, value);
}
