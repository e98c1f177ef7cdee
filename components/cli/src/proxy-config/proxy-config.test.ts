/** What every command prints of a saved dump: the goldens are Istio's columns, reviewed by hand (reference: l7-and-cli §3.4). */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "../program.fixture.ts";
import { compareRoots } from "./compare-roots.ts";
import { clustersOf } from "./entries.ts";

const DUMP = join(import.meta.dirname, "../testdata/waypoint.dump.json");

const COMMANDS = [
  "cluster",
  "c --subset v1 -o json",
  "listener",
  "listener --waypoint",
  "l --port 15008 -o yaml",
  "route",
  "route --name nothing -o json",
  "endpoint",
  "ep --status unhealthy -o yaml",
  "eds --address 10.244.2.3",
  "secret",
  "bootstrap",
  "all --with-headers",
];
for (const line of COMMANDS)
  test(`proxy-config ${line}`, async (t) => {
    const { out, err, code } = await run("istioctl", "pc", ...line.split(" "), "-f", DUMP);
    assert.deepEqual([err, code], ["", 0]);
    t.assert.snapshot(out, { serializers: [String] });
  });

const EMPTY = [
  {
    line: "route --name server",
    want: /^nothing here matches --name server; there is: inbound-vip\|80\|http\|server\.shop\.svc\.cluster\.local\n$/,
  },
  { line: "cluster --subset v9", want: /--subset v9; there is: / },
  {
    line: "ep --cluster x --address 1.2.3.4",
    want: /--address 1\.2\.3\.4; there is: .*--cluster x; there is: /,
  },
  { line: "listener --port 1", want: /--port 1; there is: / },
];
for (const { line, want } of EMPTY)
  test(`proxy-config ${line}: an empty table says what there is`, async () => {
    const { err, code } = await run("istioctl", "pc", ...line.split(" "), "-f", DUMP);
    assert.match(err, want);
    assert.equal(code, 0);
  });

const roots = (...pems: string[]) => ({ certificates: [{ rootCerts: pems.map((pem) => ({ pem })) }] });
const comparisons = [
  { name: "the same", a: roots("x", "y"), b: roots("y", "x", "x"), want: "same" },
  { name: "one more", a: roots("x"), b: roots("x", "y"), want: "different" },
  { name: "none", a: roots("x"), b: {}, want: "unknown" },
];
for (const { name, a, b, want } of comparisons)
  test(`roots: ${name}`, () => assert.equal(compareRoots(a, b).kind, want));

test("a cluster to which two services route is shown once", () => {
  const cluster = { name: "inbound-vip|80|http|reviews-v1.shop.svc.cluster.local", port: 80 };
  const servedServices = [{ clusters: [cluster] }, { clusters: [{ ...cluster }] }];
  assert.deepEqual(clustersOf({ servedServices }, {}), [cluster]);
});
