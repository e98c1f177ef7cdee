import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { queryParameter, queryParameters, querySuffix, withoutQuery } from "./query.ts";

const cases = [
  ["/a", "x", undefined],
  ["/a?", "x", undefined],
  ["/a?x", "x", ""],
  ["/a?x=", "x", ""],
  ["/a?x=1&x=2", "x", "1"],
  ["/a?xx=1&x=2", "x", "2"],
  ["/a?y=x=1", "x", undefined],
  ["/a?y=1&x=a=b?c", "x", "a=b?c"],
  ["/a?&&x=1", "x", "1"],
  ["/a?X=1", "x", undefined],
  ["/x=1", "x", undefined],
] as const;
for (const [path, name, want] of cases)
  test(`queryParameter: ${name} of ${path}`, () => assert.equal(queryParameter(path, name), want));

test("property: one name is read as all are, and a path is its two halves", () => {
  const path = fc.string({ unit: fc.constantFrom("/", "?", "&", "=", "a", "b"), maxLength: 20 });
  fc.assert(
    fc.property(path, fc.constantFrom("a", "b", "ab", ""), (target, name) => {
      assert.equal(queryParameter(target, name), queryParameters(target).get(name));
      assert.equal(withoutQuery(target) + querySuffix(target), target);
    }),
    { numRuns: 3000 },
  );
});
