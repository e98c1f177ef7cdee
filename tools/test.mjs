// Runs the checks and every suite, in the order that fails fastest, and closes with `N passed, N failed, N skipped`.
// With MELTEMI_REQUIRE_ALL=1 (CI) a skipped test is a failure: a skip must never hide a broken machine.
import { spawn, spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const node = join(root, "node_modules", ".bin", "node");

/** Suites that build namespaces or a cluster run one file at a time: they share the machine's two cores and its kernel. */
const SUITES = [
  {
    name: "unit",
    files: ["{libraries,components,benchmarks,tools}/**/*.test.ts"],
    concurrency: 2,
    timeoutMs: 60_000,
  },
  { name: "integration", files: ["tests/integration/**/*.test.ts"], concurrency: 1, timeoutMs: 120_000 },
  { name: "conformance", files: ["tests/conformance/**/*.test.ts"], concurrency: 1, timeoutMs: 60_000 },
  {
    name: "network-namespaces",
    files: ["tests/network-namespaces/**/*.test.ts"],
    concurrency: 1,
    timeoutMs: 300_000,
  },
  { name: "end-to-end", files: ["tests/end-to-end/**/*.test.ts"], concurrency: 1, timeoutMs: 600_000 },
];

const only = process.argv.slice(2).filter((word) => !word.startsWith("-"));
const unknown = only.filter((name) => name !== "check" && !SUITES.some((suite) => suite.name === name));
if (unknown.length > 0) {
  console.error(
    `unknown suite ${unknown.join(", ")}; there are: check, ${SUITES.map((s) => s.name).join(", ")}`,
  );
  process.exit(2);
}
const chosen = (name) => only.length === 0 || only.includes(name);

/** Longer ones are nobody's count. */
const MAX_LINE_LENGTH = 8192;

const totals = { pass: 0, fail: 0, skipped: 0 };

function runSuite({ name, files, concurrency, timeoutMs }) {
  return new Promise((resolve) => {
    console.log(`\n== ${name}`);
    const child = spawn(
      node,
      [
        "--test",
        "--test-reporter=spec",
        `--test-concurrency=${concurrency}`,
        `--test-timeout=${timeoutMs}`,
        ...files,
      ],
      { cwd: root, stdio: ["ignore", "pipe", "inherit"] },
    );
    // The counts stand before the failures, which may be long.
    const counts = new Map();
    let line = "";
    child.stdout.on("data", (chunk) => {
      process.stdout.write(chunk);
      const lines = (line + chunk).split("\n");
      line = lines.pop().slice(-MAX_LINE_LENGTH);
      for (const [, word, number] of lines.map((one) => one.match(/^ℹ (\w+) (\d+)$/) ?? []))
        if (word !== undefined) counts.set(word, Number(number));
    });
    child.on("close", (code) => {
      const count = (word) => counts.get(word) ?? 0;
      totals.pass += count("pass");
      totals.fail += count("fail") + count("cancelled");
      totals.skipped += count("skipped");
      if (code !== 0 && count("fail") + count("cancelled") === 0) totals.fail += 1;
      resolve();
    });
  });
}

if (chosen("check")) {
  console.log("== check");
  const check = spawnSync("npm", ["run", "--silent", "check"], { cwd: root, stdio: "inherit" });
  if (check.status === 0) totals.pass += 1;
  else totals.fail += 1;
}
for (const suite of SUITES) if (chosen(suite.name)) await runSuite(suite);

if (process.env.MELTEMI_REQUIRE_ALL === "1" && totals.skipped > 0) {
  console.log(`\n${totals.skipped} tests were skipped, and MELTEMI_REQUIRE_ALL=1 counts that as a failure`);
  totals.fail += totals.skipped;
}
console.log(`\n${totals.pass} passed, ${totals.fail} failed, ${totals.skipped} skipped`);
process.exitCode = totals.fail === 0 ? 0 : 1;
