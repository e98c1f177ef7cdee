/** Pieces of Markdown. */

/** Rows of equal length; what would end a cell is written so that it does not. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows]
    .map((row) => `| ${row.map(cellText).join(" | ")} |`)
    .join("\n");
}

function cellText(text: string): string {
  return text.replaceAll("\n", " ").replaceAll("|", "\\|").trim();
}

export function code(text: string): string {
  return text === "" ? "" : `\`${text}\``;
}

export function page(title: string, source: string, ...parts: readonly string[]): string {
  const head = `<!-- Made by \`npm run generate\` from ${source}: change it there. -->`;
  return `${[head, `# ${title}`, ...parts.filter((part) => part !== "")].join("\n\n")}\n`;
}
