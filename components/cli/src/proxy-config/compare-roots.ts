/** `proxy-config rootca-compare`: whether two proxies trust the same authorities. Pure. */

import { type Json, objectsAt, textAt } from "../output/json.ts";

export type RootComparison =
  | { readonly kind: "same" }
  | { readonly kind: "different" }
  | { readonly kind: "unknown"; readonly which: "first" | "second" };

export function compareRoots(first: Json, second: Json): RootComparison {
  const [a, b] = [rootsOf(first), rootsOf(second)];
  if (a.length === 0) return { kind: "unknown", which: "first" };
  if (b.length === 0) return { kind: "unknown", which: "second" };
  return { kind: a.join() === b.join() ? "same" : "different" };
}

/** By their bytes, each once. */
function rootsOf(dump: Json): readonly string[] {
  const roots = objectsAt(dump, "certificates").flatMap((certificate) => objectsAt(certificate, "rootCerts"));
  return [...new Set(roots.map((root) => textAt(root, "pem") || textAt(root, "serialNumber")))].sort();
}
