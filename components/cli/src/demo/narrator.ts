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
      terminal.line(`     ${terminal.faint(claim.seen)}`);
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
