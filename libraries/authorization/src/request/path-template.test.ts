import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isPathTemplate, pathTemplate } from "./path-template.ts";

const CASES: readonly (readonly [template: string, yes: readonly string[], no: readonly string[]])[] = [
  ["/foo/{*}", ["/foo/bar"], ["/foo/bar/baz", "/foo/", "/foo", "/foo/bar/"]],
  ["/foo/{**}", ["/foo/", "/foo/bar", "/foo/bar/baz"], ["/foo", "/fo/", "/foobar"]],
  ["/foo/{**}/", ["/foo/bar/", "/foo//", "/foo/a/b/"], ["/foo/", "/foo/bar"]],
  ["/foo/{*}/bar/{**}", ["/foo/a/bar/", "/foo/a/bar/x/y"], ["/foo//bar/x", "/foo/a/b/bar/x"]],
  ["/{*}/{*}", ["/a/b"], ["/a", "/a/", "//b", "/a/b/c"]],
  ["/{**}/x", ["/a/x", "//x", "/a/b/x"], ["/x", "/ax", "/a/x/"]],
  ["/{**}", ["/", "/a"], ["", "a"]],
  ["/é/{*}", ["/\u00c3\u00a9/x"], ["/\u00e9/x"]],
];
for (const [template, yes, no] of CASES)
  test(`path template ${template}`, () => {
    const matches = pathTemplate(template);
    assert.ok(matches !== undefined);
    for (const path of yes) assert.equal(matches(path), true, path);
    for (const path of no) assert.equal(matches(path), false, path);
  });

for (const template of [
  "/{*}.txt",
  "/a{*}",
  "/{**}/{*}",
  "/{**}/{**}",
  "/{x}",
  "/{*}/*",
  "/{*}/{",
  "{*}",
  "/{**}x",
  "/*/{*}",
])
  test(`no path template: ${template}`, () => assert.equal(pathTemplate(template), undefined));

test("a star alone makes no template", () => assert.equal(isPathTemplate("/foo/*"), false));

test("templates match as a regular expression would", () => {
  const segment = fc.constantFrom("a", "b.c", "", "{*}", "x y");
  const path = fc
    .array(fc.constantFrom("a", "b.c", "b-c", "", "x y", "/"), { maxLength: 6 })
    .map((parts) => `/${parts.join("/")}`);
  fc.assert(
    fc.property(
      fc.array(segment, { minLength: 1, maxLength: 4 }),
      fc.option(fc.constantFrom("", "a", "a/b"), { nil: undefined }),
      path,
      (head, tail, text) => {
        const rest = tail === undefined ? [] : ["{**}", ...(tail === "" ? [] : [tail])];
        const segments = [...head, ...rest];
        const template = `/${segments.join("/")}`;
        const pattern = segments
          .map((part) => (part === "{*}" ? "[^/]+" : part === "{**}" ? ".*" : part.replace(".", "\\.")))
          .join("/");
        assert.equal(
          pathTemplate(template)?.(text),
          new RegExp(`^/${pattern}$`).test(text),
          `${template} ${text}`,
        );
      },
    ),
  );
});
