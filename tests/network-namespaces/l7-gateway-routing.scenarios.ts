/** Matching and splitting by HTTPRoutes: the mesh scenarios of the Gateway API's profile MESH-HTTP, core and extended (reference: l7-and-cli §8.1). */

import { APPS, backend, CONSUMER, fields, prefix, type RouteOptions, route } from "./l7-objects.fixture.ts";
import { goesTo, isAnswered, type Scenario, shares, type Want } from "./l7-scenario.fixture.ts";

const V1 = backend("echo-v1", 8080);
const V2 = backend("echo-v2", 8080);
const PORT_80: RouteOptions = { port: 80 };

const header = (name: string, value: string): object => ({ headers: [{ name, value }] });
const query = (value: string): object => ({ queryParams: [{ name: "animal", value }] });
const setOnResponse = (value: string): object => ({
  type: "ResponseHeaderModifier",
  responseHeaderModifier: { set: fields({ "X-Header-Set": value }) },
});

const NOT_FOUND: Want = { status: 404 };

export const HTTP_ROUTES: readonly Scenario[] = [
  {
    name: "MeshBasic",
    checks: [
      { http: "/", want: { l7: true } },
      { http: "/", method: "POST", body: "wind", want: { path: "/" } },
    ],
  },
  {
    name: "MeshTrafficSplit",
    objects: (service) => [
      route(service, [
        { matches: [{ path: { type: "Exact", value: "/v1" } }], backendRefs: [V1] },
        { matches: [{ path: { type: "Exact", value: "/v2" } }], backendRefs: [V2] },
      ]),
    ],
    checks: [goesTo("v1", "/v1"), goesTo("v2", "/v2"), isAnswered("/v3", NOT_FOUND)],
  },
  {
    name: "MeshPorts",
    objects: (service) => [route(service, [{ filters: [setOnResponse("v1")], backendRefs: [V1] }], PORT_80)],
    checks: [
      isAnswered("/", { headers: { "x-header-set": "v1" }, version: "v1" }),
      { http: "/", port: 8080, want: { headers: { "x-header-set": undefined }, l7: true } },
    ],
  },
  {
    name: "MeshPorts, every port",
    objects: (service) => [route(service, [{ filters: [setOnResponse("v2")], backendRefs: [V2] }])],
    checks: [
      isAnswered("/", { headers: { "x-header-set": "v2" } }),
      { http: "/", port: 8080, want: { headers: { "x-header-set": "v2" } } },
    ],
  },
  {
    name: "MeshFrontendHostname",
    objects: (service) => [route(service, [{ filters: [setOnResponse("set")], backendRefs: [V2] }])],
    checks: [
      {
        http: "/",
        headers: { Host: "echo-v1" },
        want: { version: "v2", host: "echo-v1", headers: { "x-header-set": "set" } },
      },
    ],
  },
  {
    name: "MeshConsumerRoute",
    objects: (service) => [
      route(
        service,
        [{ filters: [setOnResponse("set")], backendRefs: [backend(service, 80, { namespace: APPS })] }],
        { namespace: CONSUMER },
      ),
    ],
    checks: [
      { from: "consumer", http: "/", want: { headers: { "x-header-set": "set" } } },
      { from: "client", http: "/", want: { headers: { "x-header-set": undefined }, l7: true } },
    ],
  },
  {
    name: "MeshConsumerRoute beside a producer's",
    objects: (service) => [
      route(
        service,
        [{ filters: [setOnResponse("consumer")], backendRefs: [backend(service, 80, { namespace: APPS })] }],
        {
          namespace: CONSUMER,
        },
      ),
      route(service, [{ filters: [setOnResponse("producer")], backendRefs: [V1] }]),
    ],
    checks: [
      { from: "consumer", http: "/", want: { headers: { "x-header-set": "consumer" } } },
      { from: "client", http: "/", want: { headers: { "x-header-set": "producer" } } },
    ],
  },
  {
    name: "MeshHTTPRouteSimpleSameNamespace",
    objects: (service) => [route(service, [{ backendRefs: [V1] }], PORT_80)],
    checks: [{ http: "/", times: 10, want: { version: "v1" } }],
  },
  {
    name: "MeshHTTPRouteMatching",
    objects: (service) => [
      route(
        service,
        [
          { matches: [prefix("/"), header("version", "one")], backendRefs: [V1] },
          { matches: [prefix("/v2"), header("version", "two")], backendRefs: [V2] },
        ],
        PORT_80,
      ),
    ],
    checks: [
      goesTo("v1", "/"),
      goesTo("v1", "/example"),
      goesTo("v1", "/", { Version: "one" }),
      goesTo("v2", "/v2"),
      goesTo("v2", "/v2/example"),
      goesTo("v2", "/", { Version: "two" }),
      goesTo("v2", "/v2/"),
      goesTo("v1", "/v2example"),
      goesTo("v1", "/foo/v2/example"),
    ],
  },
  {
    name: "MeshHTTPRouteWeight",
    objects: (service) => [
      route(
        service,
        [
          {
            backendRefs: [backend("echo-v1", 8080, { weight: 70 }), backend("echo-v2", 8080, { weight: 30 })],
          },
        ],
        PORT_80,
      ),
    ],
    checks: [{ http: "/", times: 400, want: shares({ v1: 70, v2: 30 }, 10) }],
  },
  {
    name: "MeshHTTPRouteQueryParamMatching",
    objects: (service) => [
      route(
        service,
        [
          { matches: [query("whale")], backendRefs: [V1] },
          { matches: [query("dolphin")], backendRefs: [V2] },
          { matches: [{ ...prefix("/path1"), ...query("whale") }], backendRefs: [V1] },
          { matches: [{ ...header("version", "one"), ...query("whale") }], backendRefs: [V2] },
          {
            matches: [
              { ...prefix("/path3"), ...query("shark") },
              { ...prefix("/path4"), ...header("version", "three"), ...query("kraken") },
            ],
            backendRefs: [V1],
          },
          { matches: [prefix("/path5")], backendRefs: [V1] },
          { matches: [query("hydra")], backendRefs: [V2] },
        ],
        PORT_80,
      ),
    ],
    checks: [
      goesTo("v1", "/?animal=whale"),
      goesTo("v2", "/?animal=dolphin"),
      goesTo("v1", "/?animal=whale&otherparam=irrelevant"),
      goesTo("v2", "/?animal=dolphin&color=yellow"),
      isAnswered("/?color=blue", NOT_FOUND),
      isAnswered("/?animal=dog", NOT_FOUND),
      isAnswered("/?animal=whaledolphin", NOT_FOUND),
      isAnswered("/", NOT_FOUND),
      goesTo("v1", "/path1?animal=whale"),
      goesTo("v2", "/?animal=whale", { version: "one" }),
      goesTo("v1", "/path3?animal=shark"),
      goesTo("v1", "/path4?animal=kraken", { version: "three" }),
      isAnswered("/?animal=shark", NOT_FOUND),
      isAnswered("/path4?animal=kraken", NOT_FOUND),
      goesTo("v1", "/path5?animal=hydra"),
    ],
  },
  {
    name: "MeshHTTPRouteNamedRule",
    objects: (service) => [
      route(
        service,
        [
          { name: "named-rule", matches: [prefix("/named")], backendRefs: [V1] },
          { matches: [prefix("/unnamed")], backendRefs: [V2] },
        ],
        PORT_80,
      ),
    ],
    checks: [goesTo("v1", "/named"), goesTo("v2", "/unnamed")],
  },
  {
    name: "TestWaypointWithInvalidBackend",
    objects: (service) => [route(service, [{ backendRefs: [backend("nobody", 80)] }])],
    checks: [isAnswered("/", { status: 500 })],
  },
  {
    name: "an invalid backend fails its share",
    objects: (service) => [
      route(service, [
        { backendRefs: [backend("nobody", 80, { weight: 1 }), backend("echo-v2", 8080, { weight: 1 })] },
      ]),
    ],
    checks: [
      {
        call: (host) => ({ kind: "http", url: `http://${host}/`, times: 1 }),
        want: { status: 500 },
      },
      {
        call: (host) => ({ kind: "http", url: `http://${host}/`, times: 1 }),
        want: { version: "v2" },
      },
    ],
  },
];
