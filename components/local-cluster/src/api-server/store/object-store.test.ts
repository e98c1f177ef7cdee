import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Refusal } from "../refusal.ts";
import { openDatabase } from "./database.ts";
import { createHistory } from "./history.ts";
import { type Change, createObjectStore } from "./object-store.ts";

const KEY = "/configmaps";
const map = (
  name: string,
  data = "",
): { metadata: { name: string; namespace: string }; data: { a: string } } => ({
  metadata: { name, namespace: "default" },
  data: { a: data },
});

test("what was committed is there after the file is opened again", () => {
  const folder = mkdtempSync(join(tmpdir(), "object-store-"));
  try {
    const path = join(folder, "state.db");
    const first = createObjectStore(openDatabase(path));
    first.commit([
      { kind: "put", resource: KEY, object: map("kept", "x") },
      { kind: "put", resource: KEY, object: map("gone") },
    ]);
    first.commit([{ kind: "remove", resource: KEY, object: map("gone") }]);
    const revision = first.revision();
    first.close();
    const second = createObjectStore(openDatabase(path));
    assert.deepEqual(
      second.list(KEY).map((stored) => stored.name),
      ["kept"],
    );
    assert.equal(second.revision(), revision);
    assert.equal(second.history.since(revision - 1), undefined, "changes of an earlier life are gone");
    assert.deepEqual(second.history.since(revision), []);
    second.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a full disk is a 507, and the state stays what it was", () => {
  const folder = mkdtempSync(join(tmpdir(), "object-store-"));
  try {
    const store = createObjectStore(openDatabase(join(folder, "state.db"), 32));
    store.commit([{ kind: "put", resource: KEY, object: map("small") }]);
    const revision = store.revision();
    const huge = [
      { kind: "put", resource: KEY, object: map("other") },
      { kind: "put", resource: KEY, object: map("huge", "x".repeat(1e6)) },
    ] as const;
    assert.throws(
      () => store.commit(huge),
      (error: unknown) => error instanceof Refusal && error.httpCode === 507,
    );
    assert.deepEqual(
      store.list(KEY).map((stored) => stored.name),
      ["small"],
    );
    assert.equal(store.revision(), revision);
    store.commit([{ kind: "put", resource: KEY, object: map("after") }]);
    assert.equal(store.list(KEY).length, 2);
    store.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

const change = (revision: number, size = 1): Change => {
  const object = { metadata: { name: "x" } };
  return {
    type: "MODIFIED",
    revision,
    previous: undefined,
    current: { resource: KEY, namespace: "", name: "x", revision, object, text: "x".repeat(size) },
  };
};

test("history: resumes, forgets by count and by size, and says so", () => {
  const history = createHistory(1, { maxChanges: 3, maxBytes: 100 });
  const heard: number[] = [];
  const stop = history.listen((one) => heard.push(one.revision));
  for (let revision = 2; revision <= 6; revision++) history.append([change(revision)]);
  assert.deepEqual(
    history.since(4)?.map((one) => one.revision),
    [5, 6],
  );
  assert.deepEqual(history.since(3)?.length, 3);
  assert.equal(history.since(2), undefined);
  stop();
  history.append([change(7, 99), change(8, 50)]);
  assert.deepEqual(
    history.since(7)?.map((one) => one.revision),
    [8],
  );
  assert.equal(history.since(6), undefined);
  assert.deepEqual(heard, [2, 3, 4, 5, 6]);
});
