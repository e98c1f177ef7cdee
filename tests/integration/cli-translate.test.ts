/** What `manifest translate` writes, the real helm renders to what `manifest generate` prints. */

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { CURRENT_CLUSTER } from "../../components/cli/src/manifests/facts.ts";
import type { Manifest } from "../../components/cli/src/manifests/objects.ts";
import { createCommandScene } from "./cli.fixture.ts";
import { helmTemplate } from "./helm.fixture.ts";

const OPERATOR = `apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
spec:
  profile: ambient
  hub: registry.example/mesh
  tag: 1.2.3
  meshConfig: { trustDomain: td }
  values:
    global: { network: n1 }
    pilot: { env: { A: "1" } }
    ztunnel: { logLevel: debug }
`;
const CHARTS = ["base", "istiod", "cni", "ztunnel"] as const;
const CLUSTER = { version: "1.35.0", apis: [...CURRENT_CLUSTER.served] };

const keyOf = ({ kind, metadata }: Manifest): string =>
  `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;

test("helm takes what is translated, and renders the same objects", { timeout: 120_000 }, async () => {
  await using scene = await createCommandScene();
  const operator = join(scene.folder, "operator.yaml");
  await writeFile(operator, OPERATOR);
  const translated = await scene.istioctl(`manifest translate -f ${operator} -o ${scene.folder}/values`);
  assert.equal(translated.code, 0, translated.err);
  const rendered = new Map<string, Manifest>();
  for (const chart of CHARTS) {
    const values = parse(await readFile(join(scene.folder, "values", `${chart}-values.yaml`), "utf8"));
    for (const object of await helmTemplate(chart, chart, "istio-system", values, CLUSTER))
      rendered.set(keyOf(object), object);
  }
  const generated = parseAllDocuments((await scene.istioctl(`manifest generate -f ${operator}`)).out)
    .map((document) => document.toJS() as Manifest)
    .filter(({ kind }) => kind !== "Namespace");
  assert.deepEqual([...rendered.keys()].sort(), generated.map(keyOf).sort());
  const ztunnel = JSON.stringify(rendered.get("DaemonSet istio-system/ztunnel"));
  assert.match(ztunnel, /registry\.example\/mesh\/ztunnel:1\.2\.3/);
  assert.match(ztunnel, /\{"name":"RUST_LOG","value":"debug"\}/);
});
