/** What every command prints of a saved dump: the goldens are Istio's columns, reviewed by hand (reference: l7-and-cli §3.3). */

import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { run, runWith } from "../program.fixture.ts";

const DUMP = join(import.meta.dirname, "../testdata/ztunnel.dump.json");
const plain = { serializers: [String] };

const COMMANDS = [
  "workload",
  "w --workload-namespace istio-system",
  "workloads --address 10.244.2.4 -o json",
  "w --workload-node node-1",
  "service",
  "svc --service-namespace other -o yaml",
  "policy",
  "pol --policy-namespace shop -o json",
  "certificate",
  "connections",
  "cons --raw --direction inbound",
  "cons --direction outbound -o json",
  "all --with-headers",
];
for (const line of COMMANDS)
  test(`ztunnel-config ${line}`, async (t) => {
    const { out, err, code } = await run("istioctl", "zc", ...line.split(" "), "-f", DUMP);
    assert.deepEqual([err, code], ["", 0]);
    t.assert.snapshot(out, plain);
  });

test("a dump on standard input is the same dump", async () => {
  const piped = await runWith({ stdin: createReadStream(DUMP) }, "istioctl", "zc", "workload", "-f", "-");
  assert.deepEqual(piped, await run("istioctl", "zc", "workload", "-f", DUMP));
});
