/** Columns as kubectl and istioctl print them: as wide as their widest cell, with spaces between, none at the end. Pure. */

import { printable } from "./printable.ts";

/** Istio's distance between columns. */
const PADDING = 5;

export function renderTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const table = [header, ...rows.map((row) => row.map(printable))];
  const widths = header.map((_, column) => Math.max(...table.map((row) => (row[column] ?? "").length)));
  return table.map((row) =>
    row
      .map((cell, at) => (at === row.length - 1 ? cell : cell.padEnd((widths[at] ?? 0) + PADDING)))
      .join("")
      .trimEnd(),
  );
}
