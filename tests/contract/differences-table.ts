/** The list of differences as documentation shows it. */

import { DIFFERENCES } from "./differences.ts";

/** Lines of a Markdown table, of both directions of difference. */
export function differencesTable(): string {
  const rows = DIFFERENCES.map((row) => `| ${row.case.replaceAll("|", "\\|")} | ${row.fails} | ${row.why} |`);
  return ["| case | not met by | why |", "|---|---|---|", ...rows].join("\n");
}
