import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "../program.fixture.ts";

const dump = (name: string): string => join(import.meta.dirname, `../testdata/${name}.dump.json`);

test("a ztunnel's policies, those that deny first", async () => {
  const { out } = await run("istioctl", "x", "authz", "check", "-f", dump("ztunnel"));
  assert.deepEqual(out.trimEnd().split("\n"), [
    "ACTION     AuthorizationPolicy     RULES",
    "DENY       server-l4.shop          1",
    "ALLOW      mesh.istio-system       1",
  ]);
});

test("a waypoint's policies, with the service that they are of", async () => {
  const { out } = await run("istioctl", "x", "authz", "check", "-f", dump("waypoint"));
  assert.match(out, /^DENY \(dry run\) +trial\.shop \(server\.shop\.svc\.cluster\.local\) +1$/m);
});

test("neither a pod nor a file", async () => {
  assert.match((await run("istioctl", "x", "authz", "check")).err, /expected the name of a pod, or --file/);
});
