import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { lineChanges } from "./line-changes.ts";
import { differenceLines } from "./render-differences.ts";

const CASES = [
  { name: "the same", before: "a\nb\n", after: "a\nb\n", want: [] },
  { name: "a line in the middle", before: "a\nb\nc", after: "a\nB\nc", want: ["-b", "+B"] },
  { name: "two places", before: "a\nb\nc\nd", after: "A\nb\nc\nD", want: ["-a", "+A", "-d", "+D"] },
  { name: "all new", before: "", after: "a\nb\n", want: ["+a", "+b"] },
  { name: "only the newline at the end", before: "a\nb", after: "a\nb\n", want: ["-b", "+b\\n"] },
];
for (const { name, before, after, want } of CASES)
  test(`lines: ${name}`, () =>
    assert.deepEqual(
      lineChanges(before, after).map(({ sign, line }) => sign + line),
      want,
    ));

test("what is lost and gained makes one text of the other", () => {
  const text = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 12 }).map((lines) => lines.join("\n"));
  fc.assert(
    fc.property(text, text, (before, after) => {
      const changes = lineChanges(before, after);
      const count = (sign: string): number => changes.filter((change) => change.sign === sign).length;
      const length = (one: string): number => (one === "" ? 0 : one.replace(/\n$/, "").split("\n").length);
      assert.equal(length(before) - count("-"), length(after) - count("+"));
    }),
  );
});

test("texts too large for the table are exchanged whole", () => {
  const many = (name: string): string => Array.from({ length: 2000 }, (_, i) => `${name}${i}`).join("\n");
  assert.equal(lineChanges(many("a"), many("b")).length, 4000);
});

test("a configuration of several lines is shown by line, bounded and printable", () => {
  const before = "accessLog: a\nmtls:\n  mode: STRICT\n";
  assert.deepEqual(
    differenceLines({ path: "data.mesh", before, after: before.replace("STRICT", "\u001b[2J") }),
    ["~ data.mesh:", "    -   mode: STRICT", "    +   mode: ?[2J"],
  );
  const after = Array.from({ length: 40 }, (_, i) => `line ${i}`).join("\n");
  const lines = differenceLines({ path: "data.mesh", after });
  assert.equal(lines.length, 22);
  assert.equal(lines.at(-1), "    … and 20 more lines");
  assert.deepEqual(differenceLines({ path: "a", before: "x", after: "y" }), ["~ a: x → y"]);
});
