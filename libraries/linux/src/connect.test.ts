import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import { adoptTcp } from "./connect.ts";

test("a descriptor that Node does not take for a socket is closed", () => {
  const fd = openSync("/dev/null", "r");
  assert.throws(() => adoptTcp(fd));
  assert.throws(() => closeSync(fd), { code: "EBADF" });
});
