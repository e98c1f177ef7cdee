import assert from "node:assert/strict";
import { test } from "node:test";
import { renderTable } from "./table.ts";

test("columns are as wide as their widest cell and five spaces", () => {
  assert.deepEqual(
    renderTable(
      ["NAME", "REVISION"],
      [
        ["a", "default"],
        ["waypoint", "x"],
      ],
    ),
    ["NAME         REVISION", "a            default", "waypoint     x"],
  );
  assert.deepEqual(renderTable(["A"], []), ["A"]);
});

test("what would move a terminal's cursor is shown, not done", () => {
  assert.deepEqual(renderTable(["NAME"], [["a\u001b[2Jb\nc"]]), ["NAME", "a?[2Jb?c"]);
});
