import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Refusal } from "./refusal.ts";
import {
  fieldReader,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  selectionOf,
} from "./selectors.ts";

const labels = { app: "web", tier: "front", "example.io/size": "12", empty: "" };

const cases = [
  { name: "nothing selects all", selector: "", want: true },
  { name: "equal", selector: "app=web", want: true },
  { name: "double equal with spaces", selector: "app == web", want: true },
  { name: "unequal", selector: "app!=web", want: false },
  { name: "unequal to what is not there", selector: "other!=web", want: true },
  { name: "in", selector: "tier in (back, front)", want: true },
  { name: "notin", selector: "tier notin (back,front)", want: false },
  { name: "notin of what is not there", selector: "other notin (x)", want: true },
  { name: "exists", selector: "empty", want: true },
  { name: "absent", selector: "!other", want: true },
  { name: "absent but there", selector: "!app", want: false },
  { name: "prefix and greater", selector: "example.io/size>11", want: true },
  { name: "less", selector: "example.io/size < 12", want: false },
  { name: "greater of no number", selector: "app>1", want: false },
  { name: "empty value", selector: "empty=", want: true },
  { name: "all terms must hold", selector: "app=web,tier in (front),!other", want: true },
  { name: "one term fails", selector: "app=web,tier=back", want: false },
  { name: "inherited names are no labels", selector: "constructor", want: false },
];
for (const c of cases) {
  test(`label selector: ${c.name}`, () =>
    assert.equal(matchesLabels(parseLabelSelector(c.selector), labels), c.want));
}

for (const selector of [
  "a in b",
  "a in (b",
  "a in b)",
  "a=b=c",
  "=b",
  "a,,b",
  "a in ((b))",
  "a>x",
  "-a",
  "a=-b-",
  "a/b/c",
  "!",
  "a=b,",
]) {
  test(`label selector: ${JSON.stringify(selector)} is refused`, () => {
    assert.throws(
      () => parseLabelSelector(selector),
      (error: unknown) => error instanceof Refusal && error.httpCode === 400,
    );
  });
}

test("field selector: escapes, both operators, and unknown fields", () => {
  assert.deepEqual(parseFieldSelector("metadata.name=a\\,b,spec.nodeName!=x"), [
    { path: "metadata.name", equals: true, value: "a,b" },
    { path: "spec.nodeName", equals: false, value: "x" },
  ]);
  const fields = fieldReader({ "spec.nodeName": () => "x" });
  const pod = { metadata: { name: "p", namespace: "n" } };
  assert.equal(selectionOf("", "metadata.name=p,spec.nodeName=x", fields)?.(pod), true);
  assert.equal(selectionOf("", "metadata.namespace!=n", fields)?.(pod), false);
  assert.throws(() => selectionOf("", "spec.secret=1", fields), /field label not supported: spec\.secret/);
  assert.throws(() => parseFieldSelector("name"), /can't understand it/);
});

test("selectors: any text is parsed or refused, in good time", () => {
  const alphabet = fc.string({ unit: fc.constantFrom(..."ab=!<>(), notin\\/.-_é\0"), maxLength: 60 });
  fc.assert(
    fc.property(alphabet, (text) => {
      for (const parse of [parseLabelSelector, parseFieldSelector]) {
        try {
          parse(text);
        } catch (error) {
          assert.ok(error instanceof Refusal, String(error));
        }
      }
    }),
    { numRuns: 2_000 },
  );
});
