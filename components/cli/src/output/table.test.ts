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
