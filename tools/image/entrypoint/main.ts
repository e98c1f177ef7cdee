/**
 * First program of every container of the mesh: loads the component that the arguments name into this very process, so that nothing
 * stands between the container runtime and the component. Lies in the image at /usr/lib/meltemi/main.mjs, the components beside it.
 */

import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { chooseProgram } from "./choose-program.ts";

// The kernel ends any process by these signals except a container's first one, which hears only what it listens to: while the
// component is loading, and at the second signal, when its own listener is used up, nobody else does.
for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => {
    if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
  });
}

const choice = chooseProgram(process.argv.slice(2));
switch (choice.kind) {
  case "run": {
    // The clock's timers hold no process, and a component that waits for its next attempt may have nothing else.
    const alive = setInterval(() => undefined, 2 ** 30);
    await import(new URL(`./components/${choice.component}/src/main.mjs`, import.meta.url).href);
    clearInterval(alive);
    break;
  }
  case "version":
    process.stdout.write(readFileSync(new URL("./version", import.meta.url)));
    break;
  case "refuse":
    process.stderr.write(`${choice.why}\n`);
    process.exitCode = 2;
    break;
  default:
    choice satisfies never;
}
