import assert from "node:assert/strict";
import { test } from "node:test";
import { openDatabase } from "../store/database.ts";
import { createObjectStore } from "../store/object-store.ts";
import { createLister, type ListQuestion } from "./list.ts";

const store = createObjectStore(openDatabase(":memory:"));
for (let at = 0; at < 200; at++)
  store.commit([
    { kind: "put", resource: "/pods", object: { metadata: { namespace: "a", name: `p${1000 + at}` } } },
  ]);

function question(continueToken: string, limit: number): ListQuestion {
  return {
    key: "/pods",
    namespace: undefined,
    selection: undefined,
    limit,
    continueToken,
    revision: "",
    match: "",
  };
}

test("a long list in small pages keeps one place, and does not push out another", () => {
  const list = createLister(store);
  const other = list(question("", 150));
  let page = list(question("", 1));
  const names = page.items.map(({ name }) => name);
  while (page.metadata["continue"] !== undefined) {
    page = list(question(String(page.metadata["continue"]), 1));
    names.push(...page.items.map(({ name }) => name));
  }
  assert.equal(new Set(names).size, 200);
  assert.equal(list(question(String(other.metadata["continue"]), 150)).items.length, 50);
});

test("of too many lists the one that was asked for least recently is forgotten", () => {
  const list = createLister(store);
  const first = String(list(question("", 1)).metadata["continue"]);
  const second = String(list(question("", 1)).metadata["continue"]);
  const later = String(list(question(first, 1)).metadata["continue"]);
  for (let at = 0; at < 63; at++) list(question("", 1));
  assert.equal(list(question(later, 1)).items.length, 1);
  assert.throws(() => list(question(second, 1)), /too old/);
});
