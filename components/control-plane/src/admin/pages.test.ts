import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry } from "@meltemi/telemetry";
import type { Authentication } from "../certificate-authority/token-authenticator.ts";
import { podFacts, SETTINGS } from "../compile/facts.fixture.ts";
import { createMeshCompiler } from "../compile/mesh-compiler.ts";
import type { PageRequest } from "./http-server.ts";
import { type AdminDependencies, createHttpPages, createMonitoringPages } from "./pages.ts";

const BEARERS: Readonly<Record<string, Authentication>> = {
  "Bearer own": { kind: "authenticated", caller: { namespace: "istio-system", serviceAccount: "ops" } },
  "Bearer other": { kind: "authenticated", caller: { namespace: "shop", serviceAccount: "ops" } },
  "Bearer late": { kind: "unavailable", reason: "away" },
};

function dependencies(isReady: boolean): AdminDependencies {
  const compiler = createMeshCompiler(SETTINGS, (...fault) => assert.fail(String(fault)));
  for (const name of ["a", "b", "c"]) compiler.inputs.pods.put(`ns/${name}`, podFacts({ name }));
  compiler.flush();
  return {
    registry: createRegistry(),
    outputs: compiler.outputs,
    connections: () => [],
    isReady: () => isReady,
    clusterId: "here",
    namespace: "istio-system",
    authenticator: {
      authenticate: async ([header = ""]) => BEARERS[header] ?? { kind: "refused", reason: "unknown" },
    },
    changeLogLevels: (method, query) =>
      method === "POST" ? { status: 200, body: `level ${query.get("level")}\n` } : { status: 405, body: "" },
  };
}

interface Asked {
  readonly isLocal?: boolean;
  readonly method?: "GET" | "POST";
  readonly bearer?: string;
}

function asked(target: string, { isLocal = true, method = "GET", bearer }: Asked): PageRequest {
  const url = new URL(target, "http://localhost");
  return {
    method,
    path: url.pathname,
    query: url.searchParams,
    accept: undefined,
    authorization: bearer === undefined ? [] : [bearer],
    isLocal,
  };
}

const cases: readonly (Asked & {
  name: string;
  isReady?: boolean;
  target: string;
  status: number | undefined;
})[] = [
  { name: "ready", target: "/ready", isLocal: false, status: 200 },
  { name: "not ready", isReady: false, target: "/ready", isLocal: false, status: 503 },
  { name: "dump from here", target: "/debug/configz", status: 200 },
  { name: "dump from elsewhere", target: "/debug/endpointz", isLocal: false, status: 401 },
  { name: "index from elsewhere", target: "/debug", isLocal: false, status: 401 },
  {
    name: "dump for an own account",
    target: "/debug/endpointz",
    isLocal: false,
    bearer: "Bearer own",
    status: 200,
  },
  {
    name: "dump for another account",
    target: "/debug/endpointz",
    isLocal: false,
    bearer: "Bearer other",
    status: 403,
  },
  {
    name: "dump for a bad token",
    target: "/debug/endpointz",
    isLocal: false,
    bearer: "Bearer x",
    status: 401,
  },
  {
    name: "dump, and no review",
    target: "/debug/endpointz",
    isLocal: false,
    bearer: "Bearer late",
    status: 503,
  },
  { name: "levels", target: "/debug/logging?level=debug", method: "POST", status: 200 },
  { name: "levels from elsewhere", target: "/debug/logging", method: "POST", isLocal: false, status: 401 },
  { name: "a dump is only read", target: "/debug/configz", method: "POST", status: 405 },
  { name: "readiness is only read", target: "/ready", method: "POST", status: 405 },
  { name: "no such page", target: "/nothing", status: undefined },
];
for (const { name, isReady = true, target, status, ...how } of cases)
  test(`page: ${name}`, async () => {
    const page = await createHttpPages(dependencies(isReady))(asked(target, how));
    assert.equal(page?.status, status);
  });

const limits = [
  ["2", 2],
  ["0", 0],
  ["-1", 3],
  ["many", 3],
  ["99999999", 3],
] as const;
for (const [limit, length] of limits) {
  test(`dump limit ${limit}`, async () => {
    const page = await createHttpPages(dependencies(true))(asked(`/debug/endpointz?limit=${limit}`, {}));
    assert.equal((JSON.parse(page?.body ?? "") as unknown[]).length, length);
  });
}

test("metrics are the registry's text, and dumps are there for who may see them", async () => {
  const deps = dependencies(true);
  deps.registry.gauge({ name: "pilot_xds", help: "x" }).labels().set(3);
  const pages = createMonitoringPages(deps);
  assert.match((await pages(asked("/metrics", { isLocal: false })))?.body ?? "", /^pilot_xds 3$/m);
  assert.equal(await pages(asked("/", {})), undefined);
  assert.equal((await pages(asked("/debug/syncz", { isLocal: false })))?.status, 401);
  assert.match(
    (await pages(asked("/debug/clusterz", { isLocal: false, bearer: "Bearer own" })))?.body ?? "",
    /"here"/,
  );
});
