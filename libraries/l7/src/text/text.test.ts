import assert from "node:assert/strict";
import { test } from "node:test";
import type { TextMatch } from "@meltemi/model/l7";
import fc from "fast-check";
import { compileRegex, literalPrefix, parseSubstitution, RegexCache } from "./regex.ts";
import { compileTextMatch } from "./text-matcher.ts";
import { toLowerAscii, toWireText } from "./wire-text.ts";

function holds(match: TextMatch, text: string | undefined): boolean {
  const compiled = compileTextMatch(match, new RegexCache());
  assert.equal(compiled.kind, "ok");
  return compiled.kind === "ok" && compiled.matcher.matches(text);
}

const matches: readonly {
  name: string;
  match: TextMatch;
  yes: readonly string[];
  no: readonly (string | undefined)[];
}[] = [
  { name: "exact", match: { kind: "exact", value: "why" }, yes: ["why"], no: ["Why", "why ", "", undefined] },
  {
    name: "exact without case",
    match: { kind: "exact", value: "Why", ignoreCase: true },
    yes: ["wHY"],
    no: ["whys"],
  },
  { name: "prefix", match: { kind: "prefix", value: "ab" }, yes: ["ab", "abc"], no: ["Ab", "a", undefined] },
  {
    name: "suffix",
    match: { kind: "suffix", value: ".com" },
    yes: ["a.com", ".com"],
    no: ["a.com:80", "a_com"],
  },
  {
    name: "regex, the whole text",
    match: { kind: "regex", pattern: "a+|b" },
    yes: ["aa", "b"],
    no: ["ab", "xa", "", undefined],
  },
  {
    name: "regex with alternatives of one start",
    match: { kind: "regex", pattern: "a|ab" },
    yes: ["a", "ab"],
    no: ["abb"],
  },
  {
    name: "a dot stands for a letter, not for a byte",
    match: { kind: "regex", pattern: "." },
    yes: [toWireText("é"), "e"],
    no: [toWireText("éé")],
  },
  {
    name: "letters beyond ASCII are compared as bytes",
    match: { kind: "exact", value: "café" },
    yes: [toWireText("café")],
    no: ["café"],
  },
  { name: "present, though empty", match: { kind: "present" }, yes: ["", "x"], no: [undefined] },
];
for (const { name, match, yes, no } of matches)
  test(`text match: ${name}`, () => {
    for (const text of yes) assert.equal(holds(match, text), true, text);
    for (const text of no) assert.equal(holds(match, text), false, String(text));
  });

const refused = [
  { name: "look-ahead", pattern: "a(?=b)", why: /Perl syntax/ },
  { name: "back reference", pattern: "(a)\\1", why: /escape/ },
  { name: "open group", pattern: "(a", why: /missing/ },
  { name: "a pattern beyond the bound", pattern: "a".repeat(4097), why: /4097 characters/ },
  { name: "a program beyond the bound", pattern: "(\\pL?){900}".repeat(2), why: /program size/ },
  { name: "repetitions that add up", pattern: "a{1000}".repeat(500), why: /repetitions/ },
];
for (const { name, pattern, why } of refused)
  test(`regex is refused: ${name}`, () => {
    const outcome = compileRegex(pattern);
    assert.equal(outcome.kind, "bad");
    if (outcome.kind === "bad") assert.match(outcome.why, why);
  });

const replacements = [
  { name: "groups", pattern: "^/a/([^/]+)/(.*)$", by: "/\\2/\\1", text: "/a/x/y", want: "/y/x" },
  { name: "the whole match", pattern: "[0-9]+", by: "<\\0>", text: "a1b22", want: "a<1>b<22>" },
  { name: "every match", pattern: "/", by: "-", text: "/a/b", want: "-a-b" },
  { name: "no match", pattern: "z", by: "-", text: "/a", want: "/a" },
  { name: "nothing after the end again", pattern: ".*", by: "x", text: "/abc", want: "x" },
  { name: "a backslash", pattern: "a", by: "\\\\", text: "/a", want: "/\\" },
  { name: "a dollar is a dollar", pattern: "a", by: "$1", text: "/a", want: "/$1" },
  { name: "a group that took no part", pattern: "a(b)?", by: "[\\1]", text: "a", want: "[]" },
];
for (const { name, pattern, by, text, want } of replacements)
  test(`regex replaces: ${name}`, () => {
    const outcome = compileRegex(pattern);
    assert.equal(outcome.kind, "ok");
    if (outcome.kind !== "ok") return;
    const substitution = parseSubstitution(by, outcome.regex.groups);
    assert.notEqual(substitution, undefined);
    assert.equal(outcome.regex.replaceAll(text, substitution ?? []), want);
  });

test("a substitution is refused for a group that is not there, and for other escapes", () => {
  for (const text of ["\\2", "\\n", "a\\"]) assert.equal(parseSubstitution(text, 1), undefined, text);
});

test("a replacement that grows beyond the bound is none", () => {
  const outcome = compileRegex("a");
  assert.equal(outcome.kind, "ok");
  if (outcome.kind === "ok")
    assert.equal(outcome.regex.replaceAll("a".repeat(1000), ["b".repeat(1000)]), undefined);
});

test("a regex never takes long, whatever the pattern: the classic trap is linear", () => {
  const outcome = compileRegex("(a+)+$");
  if (outcome.kind === "ok") assert.equal(outcome.regex.matches(`${"a".repeat(50_000)}!`), false);
});

test("fuzz: a pattern compiles or is refused, and what matches begins with the literal prefix", () => {
  const piece = fc.constantFrom(
    "a",
    "/",
    "b",
    ".",
    "\\.",
    "(",
    ")",
    "|",
    "*",
    "+",
    "?",
    "{2}",
    "[ab]",
    "\\d",
    "^",
    "$",
    "é",
    "\\Q",
    "(?i)",
  );
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 8 }),
      fc.string({ unit: fc.constantFrom("a", "b", "/", ".", "A"), maxLength: 6 }),
      (pieces, text) => {
        const pattern = pieces.join("");
        const outcome = compileRegex(pattern);
        if (outcome.kind === "ok" && outcome.regex.matches(text))
          assert.ok(text.startsWith(literalPrefix(pattern)), pattern);
      },
    ),
    { numRuns: 5000, examples: [[["a", "(?i)", "?"], ""]] },
  );
});

test("fuzz: any text as a pattern", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 60 }), fc.string(), (pattern, text) => {
      const outcome = compileRegex(pattern);
      if (outcome.kind === "ok") outcome.regex.matches(toWireText(text));
    }),
    { numRuns: 500 },
  );
});

test("lower case touches ASCII alone", () => {
  assert.equal(toLowerAscii("Reviews:80"), "reviews:80");
  assert.equal(toLowerAscii("\u00c9A"), "\u00c9a");
  assert.equal(toLowerAscii("already"), "already");
});
