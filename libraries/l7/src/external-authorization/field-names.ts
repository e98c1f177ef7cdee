/** Lists of header names: exact, `prefix*` or `*suffix`, whatever the case (reference: l7-and-cli §2.1, CUSTOM). A lone `*` is none. */

export type FieldNames = (name: string) => boolean;

/** `name`s are asked for in lower case. */
export function compileFieldNames(patterns: readonly string[]): FieldNames {
  const exact = new Set<string>();
  const prefixes: string[] = [];
  const suffixes: string[] = [];
  for (const pattern of patterns.map((one) => one.toLowerCase())) {
    if (pattern === "*") continue;
    if (pattern.startsWith("*")) suffixes.push(pattern.slice(1));
    else if (pattern.endsWith("*")) prefixes.push(pattern.slice(0, -1));
    else exact.add(pattern);
  }
  return (name) =>
    exact.has(name) ||
    prefixes.some((prefix) => name.startsWith(prefix)) ||
    suffixes.some((suffix) => name.endsWith(suffix));
}
