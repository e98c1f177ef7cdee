/** What `explain` says on saved dumps. The goldens were reviewed by hand; the verdicts are held against real traffic in tests/network-namespaces. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { run } from "../program.fixture.ts";

const ZTUNNEL = join(import.meta.dirname, "../testdata/ztunnel.dump.json");
const WAYPOINT = join(import.meta.dirname, "../testdata/waypoint.dump.json");
const CLIENT = "client-6f7d-lgbxw.shop";

const files = ["-f", ZTUNNEL, "-f", WAYPOINT];
const explain = (...words: string[]) => run("meltemi", "explain", ...words, ...files);

const cases = [
  { name: "allowed through a waypoint", words: [CLIENT, "server"], code: 0 },
  { name: "denied by the waypoint", words: [CLIENT, "server:80", "--method", "POST"], code: 1 },
  {
    name: "redirected by a route",
    words: [CLIENT, "server.shop.svc.cluster.local", "--path", "/old", "-H", "X-Old: 1"],
    code: 0,
  },
  {
    name: "split, with a destination that is none",
    words: [CLIENT, "server", "--path", "/a/b?q=1"],
    code: 0,
  },
  { name: "without a waypoint, to either of two pods", words: [CLIENT, "plain"], code: 0 },
  { name: "to a pod itself", words: [CLIENT, "pod/server-59b9-4cgwk:8080"], code: 0 },
  { name: "from outside the mesh", words: ["ztunnel-9xm6d.istio-system", "server.shop"], code: 1 },
  { name: "to the outside", words: [CLIENT, "192.0.2.1:443"], code: 0 },
  { name: "a waypoint that is not there", words: [CLIENT, "lost.other"], code: 1 },
  { name: "in JSON", words: [CLIENT, "server", "-o", "json"], code: 0 },
];
for (const { name, words, code } of cases)
  test(`explain: ${name}`, async (t) => {
    const said = await explain(...words);
    assert.equal(said.err, "");
    t.assert.snapshot(said.out, { serializers: [String] });
    assert.equal(said.code, code);
  });

const refusals = [
  { name: "an unknown client", words: ["nobody.shop", "server"], want: /pod shop\/nobody is not known/ },
  { name: "an unknown service", words: [CLIENT, "nothing"], want: /service shop\/nothing is not known/ },
  {
    name: "a pod without port",
    words: [CLIENT, "pod/server-59b9-4cgwk"],
    want: /which port\? Expected it after a colon/,
  },
  { name: "a port that is none", words: [CLIENT, "server:99999"], want: /expected a port from 1 to 65535/ },
  {
    name: "a header that is none",
    words: [CLIENT, "server", "-H", "x"],
    want: /--header "x": expected name: value/,
  },
  {
    name: "a deployment in files",
    words: ["deploy/client.shop", "server"],
    want: /expected the name of a pod/,
  },
];
for (const { name, words, want } of refusals)
  test(`explain refuses ${name}`, async () => {
    const { err, out, code } = await explain(...words);
    assert.match(err, want);
    assert.deepEqual([out, code], ["", 1]);
  });

test("without its waypoint's dump nothing is claimed about it", async () => {
  const { out } = await run("meltemi", "explain", CLIENT, "server", "-f", ZTUNNEL);
  assert.match(
    out,
    /Verdict: UNDECIDED: the waypoint could not be asked: no dump of shop\/waypoint-7c8d-knpds is among the files/,
  );
});

test("a waypoint's dump alone is not enough", async () => {
  const { err } = await run("meltemi", "explain", CLIENT, "server", "-f", WAYPOINT);
  assert.match(err, /expected the dump of the client's ztunnel/);
});
