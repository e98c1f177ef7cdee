import assert from "node:assert/strict";
import { test } from "node:test";
import { type ConfigMap, NAMESPACES } from "@meltemi/kubernetes";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createFakeClock } from "@meltemi/testkit";
import { createMemoryApi } from "./memory-api.testing.ts";
import {
  decidePublication,
  REVOCATION_LISTS,
  ROOT_CERTIFICATES,
  startNamespacePublisher,
} from "./namespace-publisher.ts";

const right: ConfigMap = {
  metadata: { name: "istio-ca-root-cert", namespace: "a", labels: { "istio.io/config": "true", own: "x" } },
  data: { "root-cert.pem": "PEM", other: "kept" },
};
interface Row {
  readonly name: string;
  readonly found: ConfigMap | undefined;
  readonly text?: string;
  readonly want: unknown;
}
const patch = (text: string): unknown => ({
  kind: "patch",
  body: { metadata: { labels: { "istio.io/config": "true" } }, data: { "root-cert.pem": text } },
});
const rows: readonly Row[] = [
  { name: "as it should be, with more in it", found: right, want: { kind: "nothing" } },
  { name: "other roots", found: { ...right, data: { "root-cert.pem": "OLD" } }, want: patch("PEM") },
  { name: "no data", found: { metadata: right.metadata ?? {} }, want: patch("PEM") },
  { name: "no label", found: { ...right, metadata: { name: "istio-ca-root-cert" } }, want: patch("PEM") },
  {
    name: "label changed",
    found: { ...right, metadata: { labels: { "istio.io/config": "false" } } },
    want: patch("PEM"),
  },
  { name: "nothing to say, and none there", found: undefined, text: "", want: { kind: "nothing" } },
  {
    name: "nothing to say, and said nothing",
    found: { data: { other: "x" } },
    text: "",
    want: { kind: "nothing" },
  },
  { name: "nothing to say any more", found: right, text: "", want: patch("") },
];
for (const row of rows)
  test(`decidePublication: ${row.name}`, () =>
    assert.deepEqual(decidePublication(ROOT_CERTIFICATES, "a", row.found, row.text ?? "PEM"), row.want));
test("decidePublication: none", () =>
  assert.deepEqual(decidePublication(REVOCATION_LISTS, "a", undefined, "PEM"), {
    kind: "create",
    object: {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "istio-ca-crl", namespace: "a", labels: { "istio.io/config": "true" } },
      data: { "ca-crl.pem": "PEM" },
    },
  }));

test("texts that change reach every namespace, also past an API server that fails for a while", async () => {
  const api = createMemoryApi();
  const clock = createFakeClock();
  const log = createLogger(
    { filter: new LogFilter("off"), format: "plain", nowMs: () => 0, write: () => {} },
    "ca",
  );
  for (const name of ["a", "b"]) await api.create(NAMESPACES, { metadata: { name } });
  const listeners = new Map<string, (text: string) => void>();
  const publisher = startNamespacePublisher(
    [ROOT_CERTIFICATES, REVOCATION_LISTS].map((published) => ({
      ...published,
      onText(listener) {
        listeners.set(published.name, listener);
        return () => listeners.delete(published.name);
      },
    })),
    { client: api, clock, random: () => 0.5, log },
  );
  const tell = (text: string): void => listeners.get("istio-ca-root-cert")?.(text);
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
  listeners.get("istio-ca-crl")?.("LISTS");
  await clock.settle(5000);
  assert.deepEqual(
    api.writes.filter((write) => write.includes("istio-ca-crl")).sort(),
    ["a", "b"].map((name) => `create configmaps ${name}/istio-ca-crl`),
  );
  await publisher[Symbol.asyncDispose]();
  assert.equal(clock.pending, 0);
  assert.equal(listeners.size, 0);
});
