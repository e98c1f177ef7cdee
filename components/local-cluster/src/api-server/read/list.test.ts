import assert from "node:assert/strict";
import { test } from "node:test";
import { textAt } from "../json.ts";
import { Refusal } from "../refusal.ts";
import { openDatabase } from "../store/database.ts";
import { createObjectStore, type ObjectStore } from "../store/object-store.ts";
import { createLister, type ListQuestion } from "./list.ts";

function filled(): ObjectStore {
  const store = createObjectStore(openDatabase(":memory:"));
  for (let at = 0; at < 200; at++) put(store, `p${1000 + at}`);
  return store;
}

function put(store: ObjectStore, name: string): void {
  store.commit([{ kind: "put", resource: "/pods", object: { metadata: { namespace: "a", name } } }]);
}

function remove(store: ObjectStore, name: string): void {
  store.commit([{ kind: "remove", resource: "/pods", object: { metadata: { namespace: "a", name } } }]);
}

const QUESTION: ListQuestion = {
  key: "/pods",
  namespace: undefined,
  selection: undefined,
  limit: 0,
  continueToken: "",
  revision: "",
  match: "",
};

test("a list in small pages shows one moment, whatever is written meanwhile", () => {
  const store = filled();
  const list = createLister(store);
  let page = list({ ...QUESTION, limit: 7 });
  const names = page.items.map(({ name }) => name);
  for (let at = 0; page.metadata["continue"] !== undefined; at++) {
    put(store, `p${1000 + 7 * at}-new`);
    remove(store, `p${1199 - at}`);
    page = list({ ...QUESTION, limit: 7, continueToken: String(page.metadata["continue"]) });
    names.push(...page.items.map(({ name }) => name));
  }
  assert.deepEqual(
    names,
    Array.from({ length: 200 }, (_, at) => `p${1000 + at}`),
  );
});

test("a token whose moment is forgotten is refused with one that goes on at the present", () => {
  const store = filled();
  const list = createLister(store);
  const first = list({ ...QUESTION, limit: 150 });
  for (let at = 0; at < 9000; at++) put(store, "p1000");
  put(store, "p1175-new");
  let fresh = "";
  assert.throws(
    () => list({ ...QUESTION, limit: 150, continueToken: String(first.metadata["continue"]) }),
    (error) => {
      assert.ok(error instanceof Refusal);
      assert.equal(`${error.httpCode} ${String(error.status["reason"])}`, "410 Expired");
      fresh = textAt(error.status, "metadata", "continue") ?? "";
      return fresh !== "";
    },
  );
  const rest = list({ ...QUESTION, limit: 150, continueToken: fresh });
  assert.equal(rest.items.length, 51);
  assert.equal(rest.items[0]?.name, "p1150");
});

const tokens = ["nonsense", "e30", Buffer.from('{"revision":-1,"after":""}').toString("base64url")];
for (const token of tokens)
  test(`token ${token} is refused`, () =>
    assert.throws(
      () => createLister(filled())({ ...QUESTION, continueToken: token }),
      /continue key is not valid/,
    ));
