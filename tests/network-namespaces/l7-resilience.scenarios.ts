/** Retries, timeouts and mirrors at a waypoint. */

import { backend, route, virtualHttp, virtualService } from "./l7-objects.fixture.ts";
import { isAnswered, type Scenario } from "./l7-scenario.fixture.ts";

const RETRIES = { attempts: 3, retryOn: "gateway-error,connect-failure,refused-stream,reset" };

export const RESILIENCE: readonly Scenario[] = [
  {
    name: "retry conditions",
    objects: (host) => [
      virtualHttp(host, {
        retries: {
          attempts: 3,
          perTryTimeout: "2s",
          retryOn: "gateway-error,connect-failure,refused-stream,reset-before-request",
          retryRemoteLocalities: true,
        },
      }),
    ],
    checks: [isAnswered("/", {})],
  },
  {
    name: "retries hide failures and cut connections",
    objects: (host) => [virtualHttp(host, { retries: RETRIES })],
    checks: [
      { http: "/", headers: { "x-echo": "fail=1/{host}-fail" }, want: {} },
      { http: "/", headers: { "x-echo": "abort=1/{host}-cut" }, want: {} },
      {
        http: "/",
        method: "POST",
        body: "kept for the next try",
        headers: { "x-echo": "fail=1/{host}-body" },
        want: { body: /"beginning":"kept for the next try"/ },
      },
    ],
  },
  {
    name: "a status that nobody retries is passed on",
    objects: (host) => [virtualHttp(host, { retries: RETRIES })],
    checks: [{ http: "/", headers: { "x-echo": "status=500" }, want: { status: 500 } }],
  },
  {
    name: "retries end",
    objects: (host) => [virtualHttp(host, { retries: { attempts: 1, retryOn: "503" } })],
    checks: [{ http: "/", headers: { "x-echo": "status=503" }, want: { status: 503 } }],
  },
  {
    name: "HTTPRoute retries by status",
    objects: (host) => [
      route(host, [{ retry: { attempts: 2, codes: [503] }, backendRefs: [backend("echo-v1", 8080)] }]),
    ],
    checks: [{ http: "/", headers: { "x-echo": "fail=1/{host}" }, want: { version: "v1" } }],
  },
  {
    name: "a timeout",
    objects: (host) => [virtualHttp(host, { timeout: "300ms" })],
    checks: [
      isAnswered("/", {}),
      {
        http: "/",
        headers: { "x-echo": "delay=2000" },
        want: { status: 504, body: "upstream request timeout" },
      },
    ],
  },
  {
    name: "HTTPRoute timeouts",
    objects: (host) => [
      route(host, [{ timeouts: { request: "300ms" }, backendRefs: [backend("echo-v1", 8080)] }]),
    ],
    checks: [{ http: "/", headers: { "x-echo": "delay=2000" }, want: { status: 504 } }],
  },
  {
    name: "a timeout of each try",
    objects: (host) => [
      virtualHttp(host, { retries: { attempts: 2, perTryTimeout: "200ms", retryOn: "5xx" } }),
    ],
    checks: [{ http: "/", headers: { "x-echo": "delay=2000" }, want: { status: 504 } }],
  },
  {
    name: "a mirror",
    objects: (host) => [
      virtualService(host, {
        http: [
          {
            route: [{ destination: { host: "echo-v1" } }],
            mirrors: [{ destination: { host: "echo-v2" }, percentage: { value: 100 } }],
          },
        ],
      }),
    ],
    checks: [
      { http: "/", headers: { "x-echo": "fail=1/mirror" }, want: { status: 503, version: "v1" } },
      // The copy has counted in the other version.
      {
        call: () => ({
          kind: "http",
          url: "http://echo-v2.apps/",
          headers: { "x-echo": "fail=1/mirror" },
        }),
        want: { version: "v2" },
      },
    ],
  },
];
