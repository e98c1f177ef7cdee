/** The charts by themselves: they are what their sources say, helm finds nothing to blame, and what cannot be honoured is refused with its reason. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { CHARTS, chartFiles } from "../../tools/generate-charts.ts";
import { chartFolder, helm } from "./helm.fixture.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const ALL = [...CHARTS, "ambient"];

test("what is generated is up to date (npm run generate)", () => {
  for (const [path, text] of chartFiles())
    assert.ok(readFileSync(`${ROOT}${path}`, "utf8") === text, `${path} is not what its sources say`);
});

test("charts carry the version of the project", () => {
  const { version } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8")) as { version: string };
  for (const name of ALL) {
    const chart = parse(readFileSync(`${chartFolder(name)}/Chart.yaml`, "utf8")) as Record<string, unknown>;
    assert.deepEqual([chart["name"], chart["version"], chart["appVersion"]], [name, version, version]);
    for (const dependency of (chart["dependencies"] ?? []) as { version: string }[])
      assert.equal(dependency.version, version);
  }
});

for (const name of ALL)
  test(`helm lint --strict ${name}`, async () => {
    const { code, stdout, stderr } = await helm(["lint", "--strict", chartFolder(name)]);
    assert.equal(code, 0, stdout + stderr);
    assert.doesNotMatch(stdout, /\[(WARNING|ERROR)\]/);
  });

const refusals = [
  {
    chart: "istiod",
    flags: ["sidecarInjectorWebhook.enableNamespacesByDefault=true"],
    why: /enableNamespacesByDefault: true is refused: sidecars are not injected/,
  },
  {
    chart: "istiod",
    flags: ["pilot.keepaliveMaxServerConnectionAge=1m"],
    why: /connections of clients are not cut by age/,
  },
  { chart: "istiod", flags: ["compatibilityVersion=1.27"], why: /no earlier behaviour is kept/ },
  { chart: "istiod", flags: ["replicaCont=2"], why: /'replicaCont' not allowed/ },
  { chart: "istiod", flags: ["replicaCount=many"], why: /\/replicaCount': got string, want integer/ },
  { chart: "istiod", flags: ["istiodRemote.enabled=true"], why: /global\.remotePilotAddress must say/ },
  { chart: "istiod", flags: ["global.imagePullPolicy=Sometimes"], why: /imagePullPolicy/ },
  { chart: "istiod", flags: ["gatewayClasses.istio-waypoint.deploy.a=b"], why: /'deploy' not allowed/ },
  { chart: "cni", flags: ["ambient.enabled=false"], why: /without it, do not install it/ },
  { chart: "cni", flags: ["repair.enabled=true"], why: /it mends pods with sidecars/ },
  {
    chart: "cni",
    flags: ["ambient.shareHostNetworkNamespace=false"],
    why: /the node agent runs in the node's network namespace/,
  },
  { chart: "cni", flags: ["profile=stable"], why: /stable: no such profile or platform/ },
  { chart: "ztunnel", flags: ["logging=debug"], why: /'logging' not allowed/ },
  { chart: "ztunnel", flags: ["hostNetwork=true"], why: /the proxy listens inside its pods/ },
  { chart: "base", flags: ["base.gatewayAPICRDs=maybe"], why: /gatewayAPICRDs/ },
  { chart: "base", flags: ["experimental.stableValidationPolicy=true"], why: /no admission policy/ },
  { chart: "ambient", flags: ["cnii.enabled=true"], why: /'cnii' not allowed/ },
  { chart: "ambient", flags: ["cni.ambient.dnscapture=true"], why: /'dnscapture' not allowed/ },
] as const;
for (const { chart, flags, why } of refusals)
  test(`chart ${chart} refuses ${flags.join(" ")}`, async () => {
    const set = flags.flatMap((flag) => ["--set", flag]);
    const { code, stderr } = await helm(["template", "x", chartFolder(chart), ...set]);
    assert.equal(code, 1);
    assert.match(stderr, why);
  });

test("the umbrella renders what its charts render, each switched off by its name", async () => {
  const kinds = async (...flags: readonly string[]): Promise<readonly string[]> => {
    const { code, stdout, stderr } = await helm(["template", "x", chartFolder("ambient"), ...flags]);
    assert.equal(code, 0, stderr);
    return [...stdout.matchAll(/^# Source: ambient\/charts\/(\w+)\//gm)].map(([, name = ""]) => name);
  };
  assert.deepEqual([...new Set(await kinds())].sort(), ["base", "cni", "istiod", "ztunnel"]);
  const some = await kinds("--set", "ztunnel.enabled=false", "--set", "base.base.enableCRDTemplates=false");
  assert.deepEqual([...new Set(some)].sort(), ["base", "cni", "istiod"]);
});
