import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, LogFilter, MeshError, systemClock } from "@meltemi/runtime";
import { eventually } from "@meltemi/testkit";
import { DEFAULT_TRAFFIC } from "./compile/l7/traffic-settings.ts";
import { watchMeshConfig } from "./mesh-config-watch.ts";

const config = { namespace: "istio-system", revision: "canary", trustDomain: undefined };
const never = new AbortController().signal;

/** An API server that fails `failures` times, and then has this ConfigMap, or none. */
function watch(failures: number, mesh: string | undefined) {
  const lines: string[] = [];
  const asked: unknown[] = [];
  const sink = {
    filter: new LogFilter("info"),
    format: "plain",
    nowMs: () => 0,
    write: (line: string) => lines.push(line),
  } as const;
  const map = { metadata: { namespace: "istio-system", name: "istio-canary" }, data: { mesh: mesh ?? "" } };
  const client = {
    list: (_type: unknown, options: { readonly fieldSelector?: string }) => {
      asked.push(options.fieldSelector);
      if (asked.length <= failures) return Promise.reject(new MeshError("UNAVAILABLE", "no API server"));
      return Promise.resolve({ items: mesh === undefined ? [] : [map], resourceVersion: "1" });
    },
    async *watch(_type: unknown, { signal }: { readonly signal?: AbortSignal }) {
      await new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve()));
    },
  };
  const deps = {
    client: client as unknown as Parameters<typeof watchMeshConfig>[1]["client"],
    clock: systemClock,
    random: () => 0,
    log: createLogger(sink, "test"),
  };
  return { watch: watchMeshConfig(config, deps), lines, asked };
}

test("an API server that is away at the start is waited for", async () => {
  const { watch: meshConfig, asked } = watch(2, "trustDomain: td.example\nrootNamespace: root");
  const first = await meshConfig.next(undefined, never);
  assert.deepEqual(first, { trustDomain: "td.example", rootNamespace: "root", traffic: DEFAULT_TRAFFIC });
  assert.deepEqual(asked, Array(3).fill("metadata.name=istio-canary"));
  meshConfig.stop();
});

test("without a ConfigMap the defaults hold", async () => {
  const { watch: meshConfig } = watch(0, undefined);
  const first = await meshConfig.next(undefined, never);
  assert.deepEqual(first, {
    trustDomain: "cluster.local",
    rootNamespace: "istio-system",
    traffic: DEFAULT_TRAFFIC,
  });
  meshConfig.stop();
});

test("one that cannot be read is told and waited out, and waiting ends with its signal", async () => {
  const { watch: meshConfig, lines } = watch(0, "trustDomain: [no]");
  const stop = new AbortController();
  const next = meshConfig.next(undefined, stop.signal);
  await eventually(() => lines.some((line) => /refused.*trustDomain is not a name/.test(line)));
  stop.abort();
  assert.equal(await next, undefined);
  meshConfig.stop();
});
