/** `npm run test:kubernetes`: a real Kubernetes on this machine, and the tests that run on it. See docs/kubernetes.md. */

import { spawn } from "node:child_process";
import { mkdirSync, statfsSync } from "node:fs";
import { basename, join } from "node:path";
import { isBuilt } from "./cluster/build.ts";
import { openCache } from "./cluster/cache.ts";
import { clusterDown, clusterLogs, clusterUp, isUp, KUBECONFIG } from "./cluster/cluster.ts";
import { createProgress } from "./cluster/progress.ts";

const USAGE = `npm run test:kubernetes             builds what is missing, starts the cluster, runs every test, takes the cluster down
npm run test:kubernetes -- <words>  only the test files whose names have one of the words; on the cluster that runs, if one does
npm run test:kubernetes -- up       starts the cluster and leaves it running
npm run test:kubernetes -- down     ends it, and removes everything but the cache
`;
/** Of a build; a built cluster needs a third of it. */
const NEEDED_BYTES = 6e9;

const cache = openCache();
const progress = createProgress(
  (text) => void process.stderr.write(text),
  () => performance.now(),
);

async function main(words: readonly string[]): Promise<number> {
  const [first] = words;
  if (first === "--help" || first === "-h") {
    process.stdout.write(USAGE);
    return 0;
  }
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    progress.say("expected root on Linux: nodes are made of namespaces, control groups and mounts");
    return 2;
  }
  if (first === "down") {
    await progress.step("taking the cluster down", clusterDown);
    progress.say(`the cache of what was built stays: ${cache.folder}`);
    return 0;
  }
  if (!hasRoom()) return 2;
  if (first === "up") {
    await startCluster();
    process.stdout.write(`export KUBECONFIG=${KUBECONFIG}\n`);
    return 0;
  }
  return await runTests(words);
}

/** Says what a first run costs before it costs it. */
function hasRoom(): boolean {
  if (isBuilt(cache)) return true;
  progress.say(
    `building Kubernetes from Debian's source package, once: about 5 minutes of 2 quiet cores and ${NEEDED_BYTES / 1e9} GB in ${cache.folder}`,
  );
  mkdirSync(cache.folder, { recursive: true });
  const { bavail, bsize } = statfsSync(cache.folder);
  if (bavail * bsize > NEEDED_BYTES) return true;
  progress.say(`expected ${NEEDED_BYTES / 1e9} GB of free disk, found ${(bavail * bsize) / 1e9}`);
  return false;
}

/** Starts an API server of its own. */
const ALONE = "api-server-contract";
/** In this order: each file takes the cluster as it finds it, and installs the mesh when there is none. */
const FILES = [
  ALONE,
  "cluster",
  "mesh",
  "waypoint",
  "command-line",
  "node-agent",
  "nftables",
  "restart",
  "upgrade",
  "uninstall",
];
const TEST_TIMEOUT_MS = 600_000;

async function runTests(words: readonly string[]): Promise<number> {
  const chosen = FILES.filter((name) => words.length === 0 || words.some((word) => name.includes(word)));
  if (chosen.length === 0) {
    progress.say(`expected one of ${FILES.join(", ")}, got ${words.join(" ")}`);
    return 2;
  }
  // One that somebody keeps running is used, and left.
  const isKept = isUp() || chosen.every((name) => name === ALONE);
  if (!isKept) await startCluster();
  try {
    const files = chosen.map((name) => join(import.meta.dirname, `${name}.test.ts`));
    const flags = [
      "--test",
      "--test-reporter=spec",
      "--test-concurrency=1",
      `--test-timeout=${TEST_TIMEOUT_MS}`,
    ];
    const failed: string[] = [];
    // One by one: the runner sorts files by their names.
    for (const file of files) {
      const child = spawn(process.execPath, [...flags, file], { stdio: "inherit" });
      const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
      if (code !== 0) failed.push(basename(file));
    }
    progress.say(
      `${files.length - failed.length} of ${files.length} files passed ${failed.map((name) => `✖ ${name}`).join(" ")}`.trimEnd(),
    );
    return failed.length === 0 ? 0 : 1;
  } finally {
    if (!isKept) await progress.step("taking the cluster down", clusterDown);
  }
}

/** What did not come up says why in its logs. */
async function startCluster(): Promise<void> {
  try {
    await clusterUp(cache, progress);
  } catch (error) {
    for (const text of await clusterLogs()) progress.say(text);
    throw error;
  }
}

process.exitCode = await main(process.argv.slice(2)).catch((error: Error) => {
  progress.say(`${error.message}${error.cause instanceof Error ? `: ${error.cause.message}` : ""}`);
  return 1;
});
