/** `--set a.b.c=value` flags (reference: l7-and-cli §3.1): dots part the path, `\.` is a dot inside a key. */

import type { Tree } from "./values.ts";
import { overlay } from "./values.ts";

export type SetFlagResult =
  | { readonly kind: "ok"; readonly tree: Tree }
  | { readonly kind: "invalid"; readonly problem: string };

/** Deepest path a flag may have: deeper than any value there is, and it bounds the recursion. */
const MAX_PATH_DEPTH = 16;

/** One tree of all flags, later ones winning. */
export function readSetFlags(flags: readonly string[]): SetFlagResult {
  let tree: Tree = {};
  for (const flag of flags) {
    const equals = flag.indexOf("=");
    const path = equals < 0 ? [] : splitPath(flag.slice(0, equals));
    if (path.length === 0 || path.length > MAX_PATH_DEPTH || path.some((key) => key === "")) {
      return {
        kind: "invalid",
        problem: `--set ${flag}: expected <path>=<value>, for example profile=ambient`,
      };
    }
    tree = overlay(tree, nest(path, readScalar(flag.slice(equals + 1))));
  }
  return { kind: "ok", tree };
}

function splitPath(path: string): string[] {
  return path.split(/(?<!\\)\./).map((key) => key.replaceAll("\\.", "."));
}

function nest(path: readonly string[], value: unknown): Tree {
  const [key = "", ...rest] = path;
  const tree: Record<string, unknown> = Object.create(null);
  tree[key] = rest.length === 0 ? value : nest(rest, value);
  return tree;
}

/** As Helm reads a flag: `{a,b}` is a list, true and false are booleans, a whole number is a number, the rest is text. */
function readScalar(text: string): unknown {
  if (text.startsWith("{") && text.endsWith("}")) {
    const inner = text.slice(1, -1);
    return inner === "" ? [] : inner.split(",").map((item) => item.trim());
  }
  if (text === "true") return true;
  if (text === "false") return false;
  if (/^-?(?:0|[1-9]\d{0,14})$/.test(text)) return Number(text);
  return text;
}
