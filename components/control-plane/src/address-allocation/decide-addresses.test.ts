import assert from "node:assert/strict";
import { test } from "node:test";
import { type Ip, parseIp } from "@meltemi/model";
import { serviceEntryFacts } from "../compile/facts.fixture.ts";
import type { ServiceEntryFacts } from "../compile/facts.ts";
import { decideAddresses, hostsInNeed } from "./decide-addresses.ts";

const ip = (text: string): Ip => parseIp(text) ?? assert.fail(text);
const anyFree = (): boolean => true;
const entry = (changes: Partial<ServiceEntryFacts> = {}): ServiceEntryFacts =>
  serviceEntryFacts({ hosts: ["a.example"], addresses: [], resolution: "dns", ...changes });
const OWN = [
  { host: "a.example", ip: ip("240.240.1.1") },
  { host: "a.example", ip: ip("2001:2::f0f0:101") },
];

const needs: readonly {
  readonly name: string;
  readonly changes: Partial<ServiceEntryFacts>;
  readonly want: readonly string[];
}[] = [
  { name: "a host without addresses", changes: {}, want: ["a.example"] },
  { name: "endpoints that are given", changes: { resolution: "static" }, want: ["a.example"] },
  { name: "addresses of its own", changes: { addresses: [{ ip: ip("240.0.0.1") }] }, want: [] },
  { name: "no resolution", changes: { resolution: "none" }, want: [] },
  {
    name: "opted out",
    changes: { labels: { "networking.istio.io/enable-autoallocate-ip": "false" } },
    want: [],
  },
  { name: "a wildcard", changes: { hosts: ["*.example", "b.example"] }, want: ["b.example"] },
  {
    name: "a wildcard that a waypoint resolves",
    changes: { hosts: ["*.example"], resolution: "dynamicDns" },
    want: ["*.example"],
  },
];
for (const { name, changes, want } of needs)
  test(`hostsInNeed: ${name}`, () => assert.deepEqual(hostsInNeed(entry(changes)), want));

test("a host gets an address of each family, the same every time", () => {
  const first = decideAddresses("ns/a", entry(), anyFree);
  assert.deepEqual(first, decideAddresses("ns/a", entry(), anyFree));
  assert.equal(first?.length, 2);
  assert.match(first?.[0]?.ip ?? "", /^240\.240\.\d+\.\d+$/);
  assert.match(first?.[1]?.ip ?? "", /^2001:2::f0f0:/);
});

test("what is there is kept, and nothing is written", () => {
  assert.equal(decideAddresses("ns/a", entry({ allocatedAddresses: OWN }), anyFree), undefined);
});

test("an address that another owns is given up", () => {
  const taken = OWN[0]?.ip;
  const decided = decideAddresses("ns/a", entry({ allocatedAddresses: OWN }), (each) => each !== taken);
  assert.deepEqual(
    decided?.map((each) => each.ip),
    [OWN[1]?.ip],
  );
});

test("a number of which one family is taken is passed over", () => {
  const [first] = decideAddresses("ns/a", entry(), anyFree) ?? [];
  const decided = decideAddresses("ns/a", entry(), (each) => each !== first?.ip);
  assert.equal(decided?.length, 2);
  assert.notEqual(decided?.[0]?.ip, first?.ip);
});

test("hosts that are gone lose theirs; who needs none has none", () => {
  const hosts = ["b.example"];
  const decided = decideAddresses("ns/a", entry({ hosts, allocatedAddresses: OWN }), anyFree);
  assert.ok(decided?.every(({ host }) => host === "b.example"));
  const opted = entry({ resolution: "none", allocatedAddresses: OWN });
  assert.deepEqual(decideAddresses("ns/a", opted, anyFree), []);
});

test("where all are taken a host goes without", () => {
  assert.equal(
    decideAddresses("ns/a", entry(), () => false),
    undefined,
  );
});
