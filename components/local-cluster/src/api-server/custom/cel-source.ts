/**
 * A CEL rule's text, before the CEL library sees it. Pure. Two things are put differently, because the library's own are not
 * Kubernetes': `has()` of a field behind an index or a call, and `matches()`, which would run on a backtracking engine.
 * And how deep its loops are nested is read off, which bounds what it may cost.
 */

/** `hasField(value, "name")`: what `has(value.name)` means. */
export const HAS_FIELD = "hasField";
/** `text.linearMatches(pattern)`: RE2 in linear time. */
export const LINEAR_MATCHES = "linearMatches";

export interface RuleSource {
  readonly text: string;
  readonly shape: RuleShape;
}

/** What the cost of judging a rule depends on. */
export interface RuleShape {
  /** How many loops (`all`, `map`, …) run inside each other at most. */
  readonly loopDepth: number;
  /** Entries of the longest list or map that the rule itself spells. */
  readonly spelledEntries: number;
  /** It cuts texts into lists, so that a long text makes a long list. */
  readonly splits: boolean;
  /** It holds texts against patterns. */
  readonly matches: boolean;
}

interface Token {
  readonly kind: "name" | "other" | "blank";
  readonly text: string;
}

/** Comments and texts whole, whatever they hold; a raw text has no escapes. What is unterminated falls apart into single characters. */
const TOKEN =
  /(?<blank>\s+|\/\/[^\n]*)|[bB]?[rR][bB]?(?:""".*?"""|'''.*?'''|"[^"\n]*"|'[^'\n]*')|[bB]?(?:"""(?:\\.|[^\\])*?"""|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|(?<name>[A-Za-z_]\w*)|\d\w*|./gs;

const LOOPS = new Set(["all", "exists", "exists_one", "map", "filter"]);
/** `self.a.?b`: has() of such a chain is the library's own. */
const CHAIN = /^[A-Za-z_]\w*(?:\.\??[A-Za-z_]\w*)*$/;

export function readRule(rule: string): RuleSource {
  const tokens = tokenize(rule);
  const solid = tokens.filter(({ kind }) => kind !== "blank").map(({ text }) => text);
  return {
    text: rewrite(tokens, 0, tokens.length),
    shape: {
      loopDepth: loopDepth(solid),
      spelledEntries: spelledEntries(solid),
      splits: solid.includes("split"),
      matches: solid.includes("matches"),
    },
  };
}

function tokenize(rule: string): readonly Token[] {
  return [...rule.matchAll(TOKEN)].map(({ 0: text, groups }) => ({
    kind: groups?.["blank"] !== undefined ? "blank" : groups?.["name"] !== undefined ? "name" : "other",
    text,
  }));
}

function rewrite(tokens: readonly Token[], from: number, to: number): string {
  let text = "";
  for (let at = from; at < to; at++) {
    const token = tokens[at];
    const open = token?.kind === "name" ? nextSolid(tokens, at + 1, to) : to;
    if (tokens[open]?.text !== "(") text += token?.text ?? "";
    else if (token?.text === "matches") text += LINEAR_MATCHES;
    else if (token?.text === "has") {
      const close = closing(tokens, open, to);
      const end = tokens[close]?.text ?? "";
      text += rewriteHas(tokens, open + 1, close) ?? `has(${rewrite(tokens, open + 1, close)}${end}`;
      at = close;
    } else text += token?.text ?? "";
  }
  return text;
}

/** Undefined when the library can do it, or when it is none and must say so. */
function rewriteHas(tokens: readonly Token[], from: number, to: number): string | undefined {
  const argument = tokens.slice(from, to).filter(({ kind }) => kind !== "blank");
  const field = argument.at(-1);
  if (field?.kind !== "name" || argument.at(-2)?.text !== ".") return undefined;
  const value = argument.slice(0, -2);
  if (CHAIN.test(value.map(({ text }) => text).join(""))) return undefined;
  return `${HAS_FIELD}(${rewrite(value, 0, value.length)}, ${JSON.stringify(field.text)})`;
}

function nextSolid(tokens: readonly Token[], from: number, to: number): number {
  let at = from;
  while (at < to && tokens[at]?.kind === "blank") at++;
  return at;
}

/** Where the parenthesis at `open` is closed, or `to`. */
function closing(tokens: readonly Token[], open: number, to: number): number {
  let depth = 0;
  for (let at = open; at < to; at++) {
    const text = tokens[at]?.text;
    if (text === "(") depth++;
    else if (text === ")" && --depth === 0) return at;
  }
  return to;
}

function loopDepth(words: readonly string[]): number {
  const opened: boolean[] = [];
  let depth = 0;
  let deepest = 0;
  for (const [index, word] of words.entries()) {
    if (word === "(") {
      const isLoop = LOOPS.has(words[index - 1] ?? "") && words[index - 2] === ".";
      opened.push(isLoop);
      if (isLoop) deepest = Math.max(deepest, ++depth);
    } else if (word === ")" && opened.pop() === true) depth--;
  }
  return deepest;
}

/** Commas of calls count with the bracket around them: more is safe. */
function spelledEntries(words: readonly string[]): number {
  const counts: number[] = [];
  let most = 0;
  for (const word of words) {
    if (word === "[" || word === "{") counts.push(1);
    else if (word === "," && counts.length > 0) counts.push((counts.pop() ?? 0) + 1);
    else if (word === "]" || word === "}") most = Math.max(most, counts.pop() ?? 0);
  }
  return most;
}
