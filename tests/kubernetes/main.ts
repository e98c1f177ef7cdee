/** `npm run test:kubernetes`: a real Kubernetes on this machine, and the tests that run on it. See docs/kubernetes.md. */

import { spawn } from "node:child_process";
import { statfsSync } from "node:fs";
import { join } from "node:path";
import { isBuilt } from "./cluster/build.ts";
import { openCache } from "./cluster/cache.ts";
import { clusterDown, clusterUp, KUBECONFIG } from "./cluster/cluster.ts";
import { createProgress } from "./cluster/progress.ts";

const USAGE = `npm run test:kubernetes             builds what is missing, starts the cluster, runs every test, takes the cluster down
npm run test:kubernetes -- <words>  only the test files whose names have one of the words
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
    await clusterUp(cache, progress);
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
  const { bavail, bsize } = statfsSync(join(cache.folder, "/").replace(/\.cache\/.*/, ""));
  if (bavail * bsize > NEEDED_BYTES) return true;
  progress.say(`expected ${NEEDED_BYTES / 1e9} GB of free disk, found ${(bavail * bsize) / 1e9}`);
  return false;
}

/** The files bring the cluster up themselves, each finds it as the one before left it; the last word is `down`, whatever they say. */
async function runTests(words: readonly string[]): Promise<number> {
  await clusterUp(cache, progress);
  try {
    const files = words.length === 0 ? ["*"] : words.map((word) => `*${word}*`);
    const patterns = files.map((name) => join(import.meta.dirname, `${name}.test.ts`));
    const flags = ["--test", "--test-reporter=spec", "--test-concurrency=1", "--test-timeout=900000"];
    const child = spawn(process.execPath, [...flags, ...patterns], { stdio: "inherit" });
    return await new Promise((resolve) => child.once("close", (code) => resolve(code ?? 1)));
  } finally {
    await progress.step("taking the cluster down", clusterDown);
  }
}

process.exitCode = await main(process.argv.slice(2)).catch((error: Error) => {
  progress.say(`${error.message}${error.cause instanceof Error ? `: ${error.cause.message}` : ""}`);
  return 1;
});
