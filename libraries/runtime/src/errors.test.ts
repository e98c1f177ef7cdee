import assert from "node:assert/strict";
import { test } from "node:test";
import { describeError, MeshError } from "./errors.ts";

test("the chain of causes is told on one line", () => {
  const error = new MeshError("UNAVAILABLE", "connect to istiod", {
    cause: new Error("refused", { cause: "port 15012" }),
  });
  assert.equal(describeError(error), "connect to istiod: refused: port 15012");
  assert.equal(error.code, "UNAVAILABLE");
});

test("a chain that loops is cut", () => {
  const error = new Error("round");
  error.cause = error;
  assert.equal(describeError(error), Array(5).fill("round").join(": "));
});

test("what is not an error is told as text", () => assert.equal(describeError("plain"), "plain"));
