/** `npm run bench -- <suite> [--pairs N] [-o json]`: figures on standard output, progress on standard error. */

import { parseArgs } from "node:util";
import { describeFigure } from "./figure.ts";
import type { Suite } from "./suite.ts";
import { SUITES } from "./suites.ts";

const DEFAULT_PAIRS = 5;

const { values, positionals } = parseArgs({
  options: {
    output: { type: "string", short: "o", default: "text" },
    pairs: { type: "string", default: String(DEFAULT_PAIRS) },
    help: { type: "boolean", short: "h", default: false },
  },
  allowPositionals: true,
});

const [name] = positionals;
const suite = SUITES.find((each) => each.name === name);
const pairs = Number(values.pairs);
if (suite === undefined || values.help) {
  const known = SUITES.map((each) => `  ${each.name.padEnd(16)}${each.about}`).join("\n");
  console.error(`usage: npm run bench -- <suite> [--pairs ${DEFAULT_PAIRS}] [-o json]\n\nsuites:\n${known}`);
  process.exitCode = values.help ? 0 : 2;
} else if (!Number.isInteger(pairs) || pairs < 1 || pairs > 50) {
  console.error(`--pairs ${values.pairs}: expected a whole number from 1 to 50`);
  process.exitCode = 2;
} else process.exitCode = await runSuite(suite);

/** Exit code 1 when a figure came with wrong results: a fast wrong answer is no figure. */
async function runSuite(chosen: Suite): Promise<number> {
  let code = 0;
  for await (const figure of chosen.run({ pairs, progress: (text) => console.error(`… ${text}`) })) {
    console.log(values.output === "json" ? JSON.stringify(figure) : describeFigure(figure));
    if (!figure.correct) code = 1;
  }
  return code;
}
