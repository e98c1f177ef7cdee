import assert from "node:assert/strict";
import { test } from "node:test";
import { DEPLOYMENTS, type KubernetesObject, PODS } from "@meltemi/kubernetes";
import type { Action } from "./action.ts";
import { decideDependent, decideHeldOwner, type Item, type OwnerState } from "./decide-garbage.ts";
import { NOW } from "./objects.testing.ts";

function dependent(owners: readonly string[], extra: KubernetesObject["metadata"] = {}, block = true): Item {
  const ownerReferences = owners.map((uid) => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    name: uid,
    uid,
    blockOwnerDeletion: block,
  }));
  return {
    type: PODS,
    object: { metadata: { name: "p", namespace: "default", uid: "p", ownerReferences, ...extra } },
  };
}

function done(actions: readonly Action[]): readonly unknown[] {
  return actions.map((action) =>
    action.kind === "patch"
      ? action.body["metadata"]
      : [action.kind, action.kind === "delete" ? action.propagation : ""],
  );
}

const uids = (metadata: unknown): unknown =>
  (metadata as { ownerReferences?: { uid: string }[] | null }).ownerReferences?.map(({ uid }) => uid) ??
  metadata;

const cases: readonly {
  name: string;
  item: Item;
  states: Readonly<Record<string, OwnerState["kind"]>>;
  want: readonly unknown[];
}[] = [
  { name: "no owners", item: dependent([]), states: {}, want: [] },
  { name: "an owner that lives", item: dependent(["a"]), states: { a: "alive" }, want: [] },
  {
    name: "the owner is gone",
    item: dependent(["a"]),
    states: { a: "absent" },
    want: [["delete", "Background"]],
  },
  {
    name: "all owners are gone",
    item: dependent(["a", "b"]),
    states: { a: "absent", b: "absent" },
    want: [["delete", "Background"]],
  },
  {
    name: "one of two is gone",
    item: dependent(["a", "b"]),
    states: { a: "absent", b: "alive" },
    want: [["b"]],
  },
  {
    name: "one of two waits, the other lives",
    item: dependent(["a", "b"]),
    states: { a: "waiting", b: "alive" },
    want: [["b"]],
  },
  {
    name: "the owner waits",
    item: dependent(["a"]),
    states: { a: "waiting" },
    want: [["delete", "Foreground"]],
  },
  {
    name: "one is gone, one waits",
    item: dependent(["a", "b"]),
    states: { a: "absent", b: "waiting" },
    want: [["delete", "Foreground"]],
  },
  { name: "an owner that cannot be asked about", item: dependent(["a"]), states: { a: "unknown" }, want: [] },
  {
    name: "one is gone, one cannot be asked about",
    item: dependent(["a", "b"]),
    states: { a: "absent", b: "unknown" },
    want: [],
  },
  {
    name: "it is going already",
    item: dependent(["a"], { deletionTimestamp: NOW }),
    states: { a: "absent" },
    want: [],
  },
];
for (const c of cases) {
  test(`decideDependent: ${c.name}`, () => {
    const { actions } = decideDependent(c.item, ({ uid }) => ({ kind: c.states[uid] ?? "unknown" }));
    assert.deepEqual(
      done(actions).map((each) => (Array.isArray(each) ? each : uids(each))),
      c.want,
    );
  });
}

function owner(finalizers: readonly string[], terminating = true): Item {
  const metadata = { name: "d", namespace: "default", uid: "a", finalizers: [...finalizers] };
  return {
    type: DEPLOYMENTS,
    object: { metadata: terminating ? { ...metadata, deletionTimestamp: NOW } : metadata },
  };
}

const held: readonly { name: string; owner: Item; dependents: readonly Item[]; want: readonly unknown[] }[] =
  [
    {
      name: "foreground waits for one that blocks",
      owner: owner(["foregroundDeletion"]),
      dependents: [dependent(["a"])],
      want: [],
    },
    {
      name: "foreground does not wait for one that does not block",
      owner: owner(["foregroundDeletion"]),
      dependents: [dependent(["a"], {}, false)],
      want: [{ finalizers: null }],
    },
    {
      name: "foreground goes on when all are gone, other finalizers stay",
      owner: owner(["x", "foregroundDeletion"]),
      dependents: [],
      want: [{ finalizers: ["x"] }],
    },
    {
      name: "orphan cuts every tie, then goes",
      owner: owner(["orphan"]),
      dependents: [dependent(["a", "b"]), dependent(["a"])],
      want: [["b"], { ownerReferences: null }, { finalizers: null }],
    },
    { name: "not going", owner: owner(["orphan"], false), dependents: [dependent(["a"])], want: [] },
    { name: "held by somebody else", owner: owner(["x"]), dependents: [], want: [] },
  ];
for (const c of held) {
  test(`decideHeldOwner: ${c.name}`, () => {
    assert.deepEqual(done(decideHeldOwner(c.owner, c.dependents).actions).map(uids), c.want);
  });
}
