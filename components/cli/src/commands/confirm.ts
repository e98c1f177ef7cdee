/** Asks before something large happens. */

import { createInterface } from "node:readline/promises";
import type { CommandContext } from "./context.ts";

/** True for yes. An input that ends without an answer says no. */
export async function confirmed(question: string, context: CommandContext): Promise<boolean> {
  const prompt = createInterface({ input: context.stdin, output: context.stdout });
  const ended = new Promise<string>((resolve) => {
    // On a terminal the prompt takes Ctrl-C for itself, and then waits on.
    prompt.once("SIGINT", () => resolve(""));
    prompt.once("close", () => resolve(""));
  });
  try {
    const answer = await Promise.race([prompt.question(question, { signal: context.signal }), ended]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    prompt.close();
  }
}
