import assert from "node:assert/strict";
import { test } from "node:test";
import { type ConfigMap, NAMESPACES } from "@meltemi/kubernetes";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createFakeClock } from "@meltemi/testkit";
import { createMemoryApi } from "./memory-api.testing.ts";
import { decideRootMap, startRootCertificateDistributor } from "./root-certificate-distributor.ts";

const right: ConfigMap = {
  metadata: { name: "istio-ca-root-cert", namespace: "a", labels: { "istio.io/config": "true", own: "x" } },
  data: { "root-cert.pem": "PEM", other: "kept" },
};
const rows: readonly { name: string; found: ConfigMap | undefined; want: string }[] = [
  { name: "none", found: undefined, want: "create" },
  { name: "as it should be, with more in it", found: right, want: "nothing" },
  { name: "other roots", found: { ...right, data: { "root-cert.pem": "OLD" } }, want: "patch" },
  { name: "no data", found: { metadata: right.metadata ?? {} }, want: "patch" },
  { name: "no label", found: { ...right, metadata: { name: "istio-ca-root-cert" } }, want: "patch" },
  {
    name: "label changed",
    found: { ...right, metadata: { labels: { "istio.io/config": "false" } } },
    want: "patch",
  },
];
for (const row of rows)
  test(`decideRootMap: ${row.name}`, () => assert.equal(decideRootMap("a", row.found, "PEM").kind, row.want));

test("roots that change reach every namespace, also past an API server that fails for a while", async () => {
  const api = createMemoryApi();
  const clock = createFakeClock();
  const log = createLogger(
    { filter: new LogFilter("off"), format: "plain", nowMs: () => 0, write: () => {} },
    "ca",
  );
  for (const name of ["a", "b"]) await api.create(NAMESPACES, { metadata: { name } });
  let tell: (pem: string) => void = () => {};
  const onRootBundle = (listener: (pem: string) => void): (() => void) => {
    tell = listener;
    return () => {};
  };
  const distributor = startRootCertificateDistributor({
    client: api,
    clock,
    random: () => 0.5,
    log,
    onRootBundle,
  });
  await clock.settle(1000);
  assert.deepEqual(
    api.writes.filter((write) => write.includes("configmaps")),
    [],
    "nothing before there is a root",
  );
  api.failNextWrite = new Error("HTTP 503");
  tell("ONE");
  await clock.settle(5000);
  tell("TWO");
  await clock.settle(5000);
  const maps = api.writes.filter((write) => write.includes("configmaps")).sort();
  assert.deepEqual(
    maps,
    ["a", "b"]
      .flatMap((name) => [`create configmaps ${name}/istio-ca-root-cert`])
      .concat(["a", "b"].map((name) => `patch configmaps ${name}/istio-ca-root-cert`)),
  );
  await distributor[Symbol.asyncDispose]();
  assert.equal(clock.pending, 0);
});
