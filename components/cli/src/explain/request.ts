/** The request that is explained, as a waypoint reads it. */

import { HeaderFields } from "@meltemi/http";
import { normalizePath, type RequestContext } from "@meltemi/l7/decide";
import type { Identity, Ip, SocketAddress, Workload } from "@meltemi/model";
import type { WaypointSettings } from "@meltemi/model/l7";

export interface AskedRequest {
  readonly method: string;
  /** With query. */
  readonly path: string;
  readonly authority: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface AskedCaller {
  readonly workload: Workload;
  readonly ip: Ip;
  /** Undefined: it came without a tunnel. */
  readonly identity: Identity | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** Undefined: the path cannot be read, and the waypoint answers with 400. */
export function requestContext(
  request: AskedRequest,
  caller: AskedCaller,
  destination: SocketAddress,
  pathNormalization: WaypointSettings["pathNormalization"],
): RequestContext | undefined {
  const path = normalizePath(request.path, pathNormalization);
  if (path === undefined) return undefined;
  return {
    request: {
      version: "HTTP/1.1",
      method: request.method,
      scheme: "http",
      authority: request.authority,
      path,
      headers: HeaderFields.of(
        ...request.headers.map(([name, value]) => [name.toLowerCase(), value] as const),
      ),
      expectsContinue: false,
    },
    caller: { ...caller, port: 0 },
    destination,
    serverName: undefined,
    path: path.split("?")[0] ?? "",
    token: undefined,
    metadata: new Map(),
  };
}
