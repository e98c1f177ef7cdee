import assert from "node:assert/strict";
import { test } from "node:test";
import { detach } from "./detach.ts";

const failure = new Error("no");
for (const [name, task, want] of [
  ["a result is not looked at", () => 1, []],
  ["a promise that holds", async () => 1, []],
  [
    "a throw",
    () => {
      throw failure;
    },
    [failure],
  ],
  [
    "a rejection",
    async () => {
      throw failure;
    },
    [failure],
  ],
] as const)
  test(`detach: ${name}`, async () => {
    const errors: unknown[] = [];
    detach(task, (error) => void errors.push(error));
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(errors, want);
  });
