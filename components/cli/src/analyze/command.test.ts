/** `analyze` on files, as a user runs it. */

import assert from "node:assert/strict";
import { createReadStream, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { createTemporaryFolder } from "@meltemi/testkit";
import { run, runWith } from "../program.fixture.ts";

const folder = await createTemporaryFolder("analyze");
after(() => folder[Symbol.asyncDispose]());
const file = join(folder.path, "objects.yaml");
writeFileSync(
  file,
  `apiVersion: v1
kind: Namespace
metadata:
  name: shop
  labels: { istio-injection: enabled, istio.io/dataplane-mode: ambient }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: a, namespace: shop }
spec:
  hosts: [server]
  http: [{ route: [{ destination: { host: server } }] }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: b, namespace: shop }
spec:
  hosts: [server]
  http: [{ route: [{ destination: { host: server } }] }]
`,
);
const analyze = (...words: string[]) => run("istioctl", "analyze", "--use-kube=false", file, ...words);

test("messages with where they are; an error is exit code 79", async () => {
  const { out, err, code } = await analyze();
  const lines = out.trimEnd().split("\n");
  assert.match(
    lines[0] ?? "",
    /^Error \[IST0109\] \(VirtualService shop\/a .*objects\.yaml:7\) The VirtualServices shop\/a,shop\/b /,
  );
  assert.match(lines[2] ?? "", /^Warning \[MLT0008\] \(Namespace shop .*objects\.yaml:1\) /);
  assert.equal(lines.length, 3);
  assert.match(err, /^Error: Analyzers found issues when analyzing /);
  assert.equal(code, 79);
});

test("in JSON and YAML", async () => {
  const { out } = await analyze("-o", "json", "--output-threshold", "Error");
  const [first] = JSON.parse(out) as Record<string, string>[];
  assert.deepEqual(
    [first?.["code"], first?.["level"], first?.["origin"]],
    ["IST0109", "Error", "VirtualService a.shop"],
  );
  assert.match((await analyze("-o", "yaml")).out, /^- code: IST0109$/m);
});

test("suppressed, nothing is found", async () => {
  const { out, err, code } = await analyze("-S", "IST0109=VirtualService *", "-S", "MLT0008=Namespace shop");
  assert.deepEqual([out, code], ["", 0]);
  assert.match(err, /✔ No validation issues found when analyzing .*objects\.yaml\./);
});

test("standard input is a file, and what is no YAML is exit code 65", async () => {
  const piped = await runWith(
    { stdin: createReadStream(file) },
    "istioctl",
    "analyze",
    "--use-kube=false",
    "-",
  );
  assert.match(piped.out, /stdin:7/);
  writeFileSync(join(folder.path, "broken.yaml"), "a: [");
  const { code, err } = await run(
    "istioctl",
    "analyze",
    "--use-kube=false",
    join(folder.path, "broken.yaml"),
  );
  assert.equal(code, 65);
  assert.match(err, /broken\.yaml:1: YAML: /);
});

test("the list of analyzers needs no cluster", async () => {
  const { out, code } = await run("istioctl", "analyze", "-L");
  assert.equal(code, 0);
  assert.match(out, /^\* ambient\.PolicyAnalyzer: /m);
});
