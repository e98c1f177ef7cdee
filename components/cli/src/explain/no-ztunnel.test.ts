/** A node whose ztunnel is gone, or says nothing, lets nothing pass for certain. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "@meltemi/runtime";
import { isJson } from "../output/json.ts";
import { askExplanation } from "./ask.ts";
import { proxiesFromDumps } from "./dump-files.ts";
import type { AskedZtunnel } from "./server-hop.ts";

const dump: unknown = JSON.parse(
  await readFile(join(import.meta.dirname, "../testdata/ztunnel.dump.json"), "utf8"),
);
assert.ok(isJson(dump));
const proxies = proxiesFromDumps([dump]);
const ztunnel = proxies.ztunnelOf("shop/client-6f7d-lgbxw");

const cases: readonly { asked: AskedZtunnel; want: string; why: RegExp; arrives: boolean }[] = [
  { asked: "none", want: "denied", why: /^fails: no ztunnel runs on /, arrives: false },
  { asked: "silent", want: "unknown", why: /does not answer/, arrives: false },
  { asked: undefined, want: "allowed", why: /./, arrives: true },
  { asked: ztunnel, want: "allowed", why: /./, arrives: true },
];
for (const { asked, want, why, arrives } of cases) {
  const name = typeof asked === "object" ? "answers" : String(asked);
  test(`explain: the ztunnel of the server's node: ${name}`, async () => {
    const client = { namespace: "shop", name: "client-6f7d-lgbxw" };
    const request = { method: "GET", authority: undefined, path: "/", headers: [] };
    const ask = { client, labels: {}, destination: "pod/server-59b9-4cgwk:8080", request };
    const serverZtunnel = async (): Promise<AskedZtunnel> => asked;
    const { verdict, hops } = await askExplanation(ask, {
      ...proxies,
      ztunnel,
      serverZtunnel,
      clock: systemClock,
    });
    assert.equal(verdict.kind, want);
    assert.match(verdict.reason, why);
    assert.equal(
      hops.some(({ role }) => role === "application"),
      arrives,
    );
  });
}
