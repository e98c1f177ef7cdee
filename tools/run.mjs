// Prepares the machine, then runs a program of the project with the project's own Node 24:
//     node tools/run.mjs [--demo|--bench] <program> [arguments]
// One process starts the other by its path. A shell would not do: dash remembers where it found `node` before setup,
// and would start the TypeScript program with the machine's Node 20 on a fresh clone.
import { spawn, spawnSync } from "node:child_process";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const words = process.argv.slice(2);
const setupFlags = [];
while (words[0]?.startsWith("--")) setupFlags.push(words.shift());

const setup = spawnSync(process.execPath, [join(root, "tools", "setup.mjs"), ...setupFlags], {
  stdio: "inherit",
});
if (setup.status !== 0) process.exit(setup.status ?? 1);

const child = spawn(join(root, "node_modules", ".bin", "node"), words, { stdio: "inherit" });
// A terminal sends its signals to the whole group; one that was sent to this process alone is passed on.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => {
    if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on("error", (error) => {
  console.error(`start ${words[0] ?? "a program"}: ${error.message}`);
  process.exitCode = 1;
});
child.on("close", (code, signal) => {
  process.exitCode = code ?? 128 + (constants.signals[signal] ?? 1);
});
