import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AddressChange,
  applyAddressUpdates,
  cidr,
  EMPTY_SNAPSHOT,
  ip,
  ipBytes,
  newService,
  newWorkload,
} from "@meltemi/model";
import { chooseLeaving, type NameUse, unneededResources } from "./choose-leaving.ts";

const LIMITS = { maxNames: 8, maxNamesPerAsker: 4, idleMs: 100 };
const NOW = 1000;
/** `a5`: of the asker `a`, unused for 5 ms; with a `!` it is pinned. The longest unused first. */
const uses = (...names: string[]): Map<string, NameUse> =>
  new Map(
    names.map((name) => {
      const unusedMs = Number.parseInt(name.slice(1), 10);
      return [name, { asker: name.slice(0, 1), usedMs: NOW - unusedMs, isPinned: name.endsWith("!") }];
    }),
  );

for (const [why, given, want] of [
  ["nothing is followed", [], []],
  ["there is room and all is in use", ["a9", "b8"], []],
  ["idle names leave, whoever asked", ["a200", "b100", "a99"], ["a200", "b100"]],
  ["who relies on a name keeps it", ["a200!", "b100"], ["b100"]],
  ["an asker that has its fill leaves its own, to three quarters", ["b9", "a5", "a4", "a3", "a2"], ["a5"]],
  ["pinned names of a crowded asker stay", ["a5!", "a4", "a3", "a2"], ["a4"]],
  ["a full table leaves the longest unused", ["a9", "b8", "c7", "d6", "a5", "b4", "c3", "d2"], ["a9", "b8"]],
  ["nothing can leave", ["a9!", "b8!", "c7!", "d6!", "a5!", "b4!", "c3!", "d2!"], []],
] as const)
  test(`leaving: ${why}`, () => assert.deepEqual(chooseLeaving(uses(...given), NOW, LIMITS), want));

const network = cidr(ipBytes(ip("10.5.0.0")), 16);
const MESH = applyAddressUpdates(EMPTY_SNAPSHOT, [
  workload("lone", "10.0.0.1"),
  workload("backend", "10.0.0.2", { services: new Map([["ns/svc", []]]) }),
  workload("here", "10.0.0.3", { node: "mine" }),
  workload("there", "10.0.0.4", { node: "other" }),
  workload("db", undefined, { hostname: "db.example" }),
  {
    kind: "service",
    service: newService({
      name: "svc",
      namespace: "ns",
      hostname: "svc",
      vips: [{ network: "", ip: ip("10.96.0.1") }],
      cidrVips: network === undefined ? [] : [{ network: "", cidr: network }],
    }),
  },
]);

function workload(
  name: string,
  address: string | undefined,
  given: Partial<ReturnType<typeof newWorkload>> = {},
): AddressChange {
  const addresses = address === undefined ? [] : [ip(address)];
  return {
    kind: "workload",
    workload: newWorkload({ uid: name, name, namespace: "ns", addresses, ...given }),
  };
}

for (const [why, names, need, kept] of [
  ["nothing but the node's own", [], {}, ["here"]],
  ["a node that is not known", [], { node: "" }, []],
  ["by address", ["/10.0.0.1"], {}, ["here", "lone"]],
  ["another network's address is another", ["far/10.0.0.1"], {}, ["here"]],
  ["by uid", ["there"], {}, ["here", "there"]],
  ["by host name", ["ns/db.example"], {}, ["db", "here"]],
  ["a service brings its endpoints", ["ns/svc"], {}, ["backend", "here", "ns/svc"]],
  ["a VIP alone brings none", ["/10.96.0.1"], {}, ["here", "ns/svc"]],
  ["an address in its network keeps a service", ["/10.5.6.7"], {}, ["here", "ns/svc"]],
  ["what is served here", [], { served: new Set(["ns/lone"]) }, ["here", "lone"]],
] as const)
  test(`kept: ${why}`, () => {
    const all = ["backend", "db", "here", "lone", "ns/svc", "there"];
    const unneeded = new Set(
      unneededResources(MESH, { names: new Set(names), node: "mine", served: new Set(), ...need }),
    );
    assert.deepEqual(
      all.filter((name) => !unneeded.has(name)),
      kept,
    );
  });
