/** Requests and routes for the tests of this folder. */

import { HeaderFields } from "@meltemi/http";
import { ip } from "@meltemi/model";
import type { Forward, HttpRoute, RequestMatch } from "@meltemi/model/l7";
import type { RequestContext } from "../request-context.ts";

export interface SampleRequest {
  readonly method?: string;
  readonly scheme?: string;
  readonly authority?: string;
  /** With query. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Absent: not verified. */
  readonly callerNamespace?: string;
  readonly callerLabels?: Readonly<Record<string, string>>;
  readonly port?: number;
}

export function sampleRequest(given: SampleRequest = {}): RequestContext {
  const path = given.path ?? "/";
  const namespace = given.callerNamespace;
  return {
    request: {
      version: "HTTP/1.1",
      method: given.method ?? "GET",
      scheme: given.scheme ?? "http",
      authority: given.authority ?? "reviews",
      path,
      headers: HeaderFields.of(...Object.entries(given.headers ?? {})),
      expectsContinue: false,
    },
    caller: {
      ip: ip("10.0.0.1"),
      port: 40000,
      identity:
        namespace === undefined
          ? undefined
          : { trustDomain: "cluster.local", namespace, serviceAccount: "default" },
      workload: undefined,
      labels: given.callerLabels ?? {},
    },
    destination: { ip: ip("10.96.0.1"), port: given.port ?? 80 },
    serverName: undefined,
    path: path.split("?")[0] ?? "",
    token: undefined,
    metadata: new Map(),
  };
}

export function sampleMatch(given: Partial<RequestMatch> = {}): RequestMatch {
  return { headers: [], queryParams: [], ...given };
}

export function sampleForward(cluster: string, given: Partial<Forward> = {}): Forward {
  return {
    kind: "forward",
    targets: [{ target: { kind: "cluster", cluster }, weight: 1 }],
    mirrors: [],
    ...given,
  };
}

export function sampleRoute(name: string, given: Partial<HttpRoute> = {}): HttpRoute {
  return { name, matches: [], action: sampleForward(name), ...given };
}
