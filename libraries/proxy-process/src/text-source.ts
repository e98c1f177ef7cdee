/** Texts that are given as a path or as themselves: tokens and root certificates. */

import { readFile } from "node:fs/promises";
import type { TextSource } from "@meltemi/identity";

/** Paths have a slash; PEM begins with dashes, and a token has none. */
export function textSource(text: string): TextSource {
  return text.includes("/") && !text.startsWith("-----")
    ? { kind: "file", path: text }
    : { kind: "literal", text };
}

/** Files are read again each time: the kubelet replaces them. */
export function readText(source: TextSource): Promise<string> {
  return source.kind === "file" ? readFile(source.path, "utf8") : Promise.resolve(source.text);
}
