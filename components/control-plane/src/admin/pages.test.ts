import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry } from "@meltemi/telemetry";
import { podFacts, SETTINGS } from "../compile/facts.fixture.ts";
import { createMeshCompiler } from "../compile/mesh-compiler.ts";
import { createHttpPages, createMonitoringPages } from "./pages.ts";

function pagesOf(isReady: boolean) {
  const compiler = createMeshCompiler(SETTINGS, (...fault) => assert.fail(String(fault)));
  for (const name of ["a", "b", "c"]) compiler.inputs.pods.put(`ns/${name}`, podFacts({ name }));
  compiler.flush();
  const pages = createHttpPages({
    registry: createRegistry(),
    outputs: compiler.outputs,
    connections: () => [],
    isReady: () => isReady,
  });
  return (target: string, isLocal = true) => {
    const url = new URL(target, "http://localhost");
    return pages({ path: url.pathname, query: url.searchParams, accept: undefined, isLocal });
  };
}

const cases = [
  { name: "ready", isReady: true, target: "/ready", isLocal: false, status: 200 },
  { name: "not ready", isReady: false, target: "/ready", isLocal: false, status: 503 },
  { name: "dump from here", isReady: true, target: "/debug/configz", isLocal: true, status: 200 },
  { name: "dump from elsewhere", isReady: true, target: "/debug/endpointz", isLocal: false, status: 403 },
  { name: "index from elsewhere", isReady: true, target: "/debug", isLocal: false, status: 403 },
  { name: "no such page", isReady: true, target: "/nothing", isLocal: true, status: undefined },
];
for (const { name, isReady, target, isLocal, status } of cases)
  test(`page: ${name}`, () => assert.equal(pagesOf(isReady)(target, isLocal)?.status, status));

const limits = [
  ["2", 2],
  ["0", 0],
  ["-1", 3],
  ["many", 3],
  ["99999999", 3],
] as const;
for (const [limit, length] of limits) {
  test(`dump limit ${limit}`, () => {
    const body = pagesOf(true)(`/debug/endpointz?limit=${limit}`)?.body ?? "";
    assert.equal((JSON.parse(body) as unknown[]).length, length);
  });
}

test("metrics are the registry's text", () => {
  const registry = createRegistry();
  registry.gauge({ name: "pilot_xds", help: "x" }).labels().set(3);
  const pages = createMonitoringPages({ registry });
  const request = { query: new URLSearchParams(), accept: undefined, isLocal: false };
  assert.match(pages({ ...request, path: "/metrics" })?.body ?? "", /^pilot_xds 3$/m);
  assert.equal(pages({ ...request, path: "/" }), undefined);
});
