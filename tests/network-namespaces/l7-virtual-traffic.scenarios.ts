/** Faults, CORS and splitting by VirtualServices, by the case names of Istio's traffic suite (reference: l7-and-cli §8.4), and more. */

import { destinationRule, SUBSETS, to, toSubset, virtualService } from "./l7-objects.fixture.ts";
import { isAnswered, oneRule, type Scenario, shares, type Want } from "./l7-scenario.fixture.ts";

const abort = (status: object): object => ({ fault: { abort: { percentage: { value: 100 }, ...status } } });

const GRANTED: Want = {
  headers: {
    "access-control-allow-origin": "cors.com",
    "access-control-allow-methods": "POST,GET",
    "access-control-allow-headers": "X-Foo-Bar,X-Foo-Baz",
    "access-control-max-age": "86400",
  },
};

const FAULTS: readonly Scenario[] = [
  oneRule(
    "cors",
    () => ({
      corsPolicy: {
        allowOrigins: [{ exact: "cors.com" }],
        allowMethods: ["POST", "GET"],
        allowCredentials: false,
        allowHeaders: ["X-Foo-Bar", "X-Foo-Baz"],
        maxAge: "24h",
      },
    }),
    [
      {
        http: "/",
        method: "OPTIONS",
        headers: { Origin: "cors.com", "Access-Control-Request-Method": "DELETE" },
        want: GRANTED,
      },
      {
        http: "/",
        headers: { Origin: "cors.com" },
        want: { headers: { "access-control-allow-origin": "cors.com" } },
      },
      isAnswered("/", { headers: { "access-control-allow-origin": undefined } }),
    ],
  ),
  oneRule("fault abort", () => abort({ httpStatus: 418 }), [isAnswered("/", { status: 418 })]),
  oneRule("fault abort gRPC", () => abort({ grpcStatus: "UNAVAILABLE" }), [
    { call: (host) => ({ kind: "grpc", target: `${host}:7070` }), want: { status: 14 } },
  ]),
  oneRule("fault delay", () => ({ fault: { delay: { percentage: { value: 100 }, fixedDelay: "300ms" } } }), [
    {
      http: "/",
      want: {
        all(answers) {
          if (answers.some(({ elapsedMs }) => elapsedMs < 300)) throw new Error("answered without the delay");
        },
      },
    },
  ]),
  {
    name: "catch all route short circuit the other routes",
    objects: (host) => [
      virtualService(host, {
        http: [
          { match: [{ uri: { regex: ".*" } }], route: [to(host)], ...abort({ httpStatus: 418 }) },
          { route: [to(host)] },
        ],
      }),
    ],
    checks: [isAnswered("/", { status: 418 })],
  },
];

const shifting = (v1: number, v2: number): Scenario => ({
  name: `shifting-${v1}`,
  objects: (host) => [
    virtualService(host, {
      http: [{ route: [to("echo-v1", { weight: v1 }), to("echo-v2", { weight: v2 })] }],
    }),
  ],
  checks: [{ http: "/", times: 300, want: shares({ v1, v2 }, 10) }],
});

const withoutHeaders = (name: string, match: object, allowed: readonly (string | undefined)[]): Scenario => ({
  name,
  objects: (host) => [
    virtualService(host, {
      http: [
        {
          match: [{ withoutHeaders: { "end-user": match } }],
          route: [to(host)],
          ...abort({ httpStatus: 403 }),
        },
        { route: [to(host)] },
      ],
    }),
  ],
  checks: ["jason", "not-jason", "", undefined].map((user) => ({
    http: "/foo",
    headers: user === undefined ? {} : { "end-user": user },
    want: { status: allowed.includes(user) ? 200 : 403 },
  })),
});

const SHIFTS: readonly Scenario[] = [
  shifting(50, 50),
  shifting(80, 20),
  withoutHeaders("without headers", { exact: "jason" }, ["jason"]),
  withoutHeaders("without headers regex convert to present_match", { regex: "*" }, [
    "jason",
    "not-jason",
    "",
  ]),
  withoutHeaders("without headers regex match any string", { regex: ".*" }, [
    "jason",
    "not-jason",
    "",
    undefined,
  ]),
  {
    name: "TestTrafficSplit",
    objects: (host) => [
      destinationRule(host, { subsets: SUBSETS }),
      virtualService(host, {
        http: [
          { match: [{ headers: { user: { exact: "istio-custom-user" } } }], route: [toSubset(host, "v2")] },
          { route: [toSubset(host, "v1")] },
        ],
      }),
    ],
    checks: [
      { http: "/", times: 10, want: { version: "v1" } },
      { http: "/", times: 10, headers: { user: "istio-custom-user" }, want: { version: "v2" } },
    ],
  },
  {
    name: "TestServerRouting",
    objects: (host) => [
      destinationRule(host, { subsets: SUBSETS }),
      virtualService(host, {
        http: [
          {
            route: [toSubset(host, "v1")],
            headers: { request: { add: { "istio-custom-header": "user-defined-value" } } },
          },
        ],
      }),
    ],
    checks: [
      {
        http: "/",
        times: 10,
        want: { version: "v1", received: { "istio-custom-header": "user-defined-value" } },
      },
    ],
  },
];

export const VIRTUAL_TRAFFIC: readonly Scenario[] = [...FAULTS, ...SHIFTS];
