/** GRPCRoutes: the mesh scenarios of the Gateway API's profile MESH-GRPC (reference: l7-and-cli §8.1), and more. */

import { backend, fields, requestHeaders, route } from "./l7-objects.fixture.ts";
import { type Check, type Scenario, shares, type Want } from "./l7-scenario.fixture.ts";

const GRPC_80 = { kind: "GRPCRoute", port: 7070 } as const;
const grpcBackend = (name: string, more: object = {}): object => backend(name, 7070, more);

const grpcCase = (value: string, edit: object, version = "echo-v1"): object => ({
  matches: [{ headers: [{ name: "x-test-case", value }] }],
  filters: [requestHeaders(edit)],
  backendRefs: [grpcBackend(version)],
});

const grpcCheck = (
  metadata: Readonly<Record<string, string>>,
  want: Want,
  more: { readonly method?: "Say" | "Other"; readonly times?: number } = {},
): Check => ({
  call: (host) => ({ kind: "grpc", target: `${host}:7070`, metadata, ...more }),
  want,
});

const UNIMPLEMENTED = 12;

export const GRPC_ROUTES: readonly Scenario[] = [
  {
    name: "MeshGRPCRouteWeight",
    objects: (service) => [
      route(
        service,
        [
          {
            backendRefs: [
              grpcBackend("echo-v1", { weight: 70 }),
              grpcBackend("echo-v2", { weight: 30 }),
              grpcBackend("echo-v3", { weight: 0 }),
            ],
          },
        ],
        GRPC_80,
      ),
    ],
    checks: [grpcCheck({}, shares({ v1: 70, v2: 30 }, 10), { times: 400 })],
  },
  {
    name: "MeshGRPCRouteRequestHeaderModifier",
    objects: (service) => [
      route(
        service,
        [
          grpcCase("set", { set: fields({ "x-header-set": "set-overwrites-values" }) }),
          grpcCase("add", { add: fields({ "x-header-add": "add-appends-values" }) }),
          grpcCase("remove", { remove: ["x-header-remove"] }),
          grpcCase(
            "multi",
            {
              set: fields({ "x-header-set-1": "header-set-1", "x-header-set-2": "header-set-2" }),
              add: fields({ "x-header-add-1": "header-add-1", "x-header-add-2": "header-add-2" }),
              remove: ["x-header-remove-1", "x-header-remove-2"],
            },
            "echo-v2",
          ),
        ],
        GRPC_80,
      ),
    ],
    checks: [
      grpcCheck(
        { "x-test-case": "set", "x-header-set": "other" },
        { received: { "x-header-set": "set-overwrites-values" }, version: "v1" },
      ),
      grpcCheck(
        { "x-test-case": "add", "x-header-add": "some-other-value" },
        { received: { "x-header-add": "some-other-value,add-appends-values" } },
      ),
      grpcCheck(
        { "x-test-case": "remove", "x-header-remove": "val" },
        { received: { "x-header-remove": undefined, "x-test-case": "remove" } },
      ),
      grpcCheck(
        {
          "x-test-case": "multi",
          "x-header-set-2": "old",
          "x-header-add-2": "old",
          "x-header-remove-2": "old",
        },
        {
          version: "v2",
          received: {
            "x-header-set-1": "header-set-1",
            "x-header-set-2": "header-set-2",
            "x-header-add-1": "header-add-1",
            "x-header-add-2": "old,header-add-2",
            "x-header-remove-2": undefined,
          },
        },
      ),
    ],
  },
  {
    name: "GRPCRoute by service and method",
    objects: (service) => [
      route(
        service,
        [
          {
            matches: [{ method: { service: "echo.Echo", method: "Say" } }],
            backendRefs: [grpcBackend("echo-v1")],
          },
          {
            matches: [{ method: { type: "RegularExpression", service: "echo\\..+", method: "O.*" } }],
            backendRefs: [grpcBackend("echo-v2")],
          },
        ],
        GRPC_80,
      ),
    ],
    checks: [
      grpcCheck({}, { version: "v1" }),
      grpcCheck({}, { version: "v2" }, { method: "Other" }),
      {
        call: (host) => ({ kind: "grpc", target: `${host}:7070`, method: "Chat" }),
        want: { status: UNIMPLEMENTED },
      },
    ],
  },
];
