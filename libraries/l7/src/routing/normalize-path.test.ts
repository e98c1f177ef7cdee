import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { normalizePath, type PathNormalization } from "./normalize-path.ts";

/** What each mode makes of it; undefined is 400. */
const cases: readonly (readonly [
  path: string,
  none: string | undefined,
  base: string | undefined,
  merge: string | undefined,
  decode: string | undefined,
])[] = [
  ["/a/b?x=/../%2f", "/a/b?x=/../%2f", "/a/b?x=/../%2f", "/a/b?x=/../%2f", "/a/b?x=/../%2f"],
  ["/a/../b", "/a/../b", "/b", "/b", "/b"],
  ["/../../b", "/../../b", "/b", "/b", "/b"],
  ["/a/./b/.", "/a/./b/.", "/a/b/", "/a/b/", "/a/b/"],
  ["/a/b/..", "/a/b/..", "/a/", "/a/", "/a/"],
  ["/a/...", "/a/...", "/a/...", "/a/...", "/a/..."],
  ["\\da", undefined, "/da", "/da", "/da"],
  ["/a\\..\\b", "/a\\..\\b", "/b", "/b", "/b"],
  ["/a//b///", "/a//b///", "/a//b///", "/a/b/", "/a/b/"],
  ["/a//../b", "/a//../b", "/a/b", "/a/b", "/a/b"],
  ["/a%2fb", "/a%2fb", "/a%2fb", "/a%2fb", "/a/b"],
  ["/a%5C..%2Fb", "/a%5C..%2Fb", "/a%5C..%2Fb", "/a%5C..%2Fb", "/b"],
  ["/%2e%2E/admin", "/%2e%2E/admin", "/admin", "/admin", "/admin"],
  ["/.%2e/admin", "/.%2e/admin", "/admin", "/admin", "/admin"],
  ["/%61dmin", "/%61dmin", "/admin", "/admin", "/admin"],
  ["/%252e%252e/a", "/%252e%252e/a", "/%252e%252e/a", "/%252e%252e/a", "/%252e%252e/a"],
  ["/a%20b%C3%A9", "/a%20b%C3%A9", "/a%20b%C3%A9", "/a%20b%C3%A9", "/a%20b%C3%A9"],
  ["/\u00c3\u00a9<>", "/\u00c3\u00a9<>", "/%C3%A9%3C%3E", "/%C3%A9%3C%3E", "/%C3%A9%3C%3E"],
  ["/100%", "/100%", "/100%", "/100%", "/100%"],
  ["/%%361dmin", "/%%361dmin", undefined, undefined, undefined],
  ["/%%32f", "/%%32f", undefined, undefined, undefined],
  ["/a%00b", "/a%00b", undefined, undefined, undefined],
  ["/a#b", undefined, undefined, undefined, undefined],
  ["/a?b#c", undefined, undefined, undefined, undefined],
  ["/a b", undefined, undefined, undefined, undefined],
  ["/a\tb", undefined, undefined, undefined, undefined],
  ["a/b", undefined, undefined, undefined, undefined],
  ["http://x/", undefined, undefined, undefined, undefined],
  ["*", "*", "*", "*", "*"],
  ["", "", "", "", ""],
];

const modes: readonly PathNormalization[] = ["none", "base", "mergeSlashes", "decodeAndMergeSlashes"];
for (const [path, ...wanted] of cases)
  for (const [index, mode] of modes.entries())
    test(`normalizePath: ${JSON.stringify(path)} by ${mode}`, () => {
      assert.equal(normalizePath(path, mode), wanted[index]);
    });

test("property: what came out comes out again, without dot segments and backslashes", () => {
  const piece = fc.constantFrom(
    "/",
    "\\",
    ".",
    "..",
    "%",
    "%2",
    "2",
    "e",
    "5",
    "c",
    "F",
    "f",
    "%2e",
    "%2F",
    "%5c",
    "%25",
    "a",
    "?",
    "\u00e9",
    "{",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), fc.constantFrom(...modes), (pieces, mode) => {
      const once = normalizePath(`/${pieces.join("")}`, mode);
      if (once === undefined) return;
      assert.equal(normalizePath(once, mode), once);
      if (mode === "none") return;
      const path = once.split("?")[0] ?? "";
      assert.doesNotMatch(path, /\\|\/\.{1,2}(\/|$)|%2e/i);
      if (mode !== "base") assert.doesNotMatch(path, /\/\//);
      if (mode === "decodeAndMergeSlashes") assert.doesNotMatch(path, /%2f|%5c/i);
    }),
    { numRuns: 5000 },
  );
});
