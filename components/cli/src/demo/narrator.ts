/** What the audience sees while the demo runs: for people, chapters and ticks; for scripts, one JSON object per claim. */

import type { Clock } from "@meltemi/runtime";
import type { Terminal } from "../output/terminal.ts";
import { describeDuration } from "../output/terminal.ts";
import type { Claim } from "./claim.ts";

export interface Narrator {
  /** `proves`: what the audience is about to see, in a plain sentence. */
  chapter(title: string, proves?: string): void;
  command(line: string): void;
  note(text: string): void;
  claim(claim: Claim): void;
  end(claims: readonly Claim[], elapsedMs: number): void;
}

export function createNarrator(
  format: "text" | "json",
  deps: { readonly terminal: Terminal; readonly clock: Clock },
): Narrator {
  return format === "json" ? jsonNarrator(deps.terminal) : textNarrator(deps.terminal, deps.clock);
}

function jsonNarrator(terminal: Terminal): Narrator {
  return {
    chapter: (title) => terminal.progress(title),
    command: () => {},
    note: () => {},
    claim: (claim) => terminal.line(JSON.stringify(claim)),
    end: () => terminal.progressEnd(),
  };
}

function textNarrator(terminal: Terminal, clock: Clock): Narrator {
  const startedMs = clock.monotonicMs();
  let chapters = 0;
  return {
    chapter(title, proves) {
      chapters++;
      const at = describeDuration(clock.monotonicMs() - startedMs);
      terminal.line(`\n${terminal.bold(`${chapters}. ${title}`)}  ${terminal.faint(`+${at}`)}`);
      if (proves !== undefined) terminal.line(`   ${proves}`);
    },
    command: (line) => terminal.line(`   ${terminal.faint("$")} ${line}`),
    note: (text) => terminal.line(`   ${terminal.faint(text)}`),
    claim(claim) {
      terminal.line(`   ${claim.ok ? terminal.green("✔") : terminal.red("✘")} ${claim.claim}`);
      for (const line of linesOf(claim)) terminal.line(`     ${terminal.faint(line)}`);
    },
    end(claims, elapsedMs) {
      const held = claims.filter((claim) => claim.ok).length;
      terminal.line(
        `\n${held} of ${claims.length} claims held, in ${describeDuration(elapsedMs)}${held === claims.length ? "." : ":"}`,
      );
      for (const claim of claims.filter((each) => !each.ok))
        terminal.line(`  ${terminal.red("✘")} ${claim.claim}: ${claim.seen}`);
    },
  };
}

/** Fits a terminal of 100 columns beside the indentation. */
const LINE_CHARACTERS = 92;

/** What was seen, for people: aligned fields when the claim has them, else wrapped between words. */
export function linesOf(claim: Claim): readonly string[] {
  if (claim.fields === undefined) return wrap(claim.seen);
  const fields = Object.entries(claim.fields);
  const width = Math.max(...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}

function wrap(text: string): readonly string[] {
  const lines: string[] = [""];
  for (const word of text.split(/\s+/)) {
    const line = lines.at(-1) ?? "";
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + 1 + word.length <= LINE_CHARACTERS) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return lines;
}
