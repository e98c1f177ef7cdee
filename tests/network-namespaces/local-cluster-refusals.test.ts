/** What hinders a local cluster: one clear sentence, an exit code, and nothing left behind. And a disk that fills up under its store. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { CONFIG_MAPS, createKubernetesClient, loadKubeconfig, statusOf } from "@meltemi/kubernetes";
import { systemClock } from "@meltemi/runtime";
import { runProgram, tryProgram } from "../../components/local-cluster/src/network/run-program.ts";
import {
  apiPort,
  cluster,
  daemonPid,
  holds,
  NAME,
  PROGRAM,
  skip,
  state,
  traces,
} from "./local-cluster.fixture.ts";

const disk = join(tmpdir(), `disk-of-${NAME}`);

async function unmount(): Promise<void> {
  while ((await tryProgram("umount", ["-l", disk])).code === 0);
  rmSync(disk, { recursive: true, force: true });
}

async function mountDisk(options: string): Promise<void> {
  await unmount();
  mkdirSync(disk, { recursive: true });
  await runProgram("mount", ["-t", "tmpfs", "-o", options, `disk-of-${NAME}`, disk]);
}

/** Also of mounts on the disk; the disk itself is the test's. */
function leftovers(): readonly string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return [...traces(), ...mounts.filter((line) => line.includes(` ${disk}/`))];
}

before(async () => {
  if (skip !== false) return;
  // What a crashed run left behind.
  await cluster("down");
  await unmount();
});
afterEach(async () => {
  if (skip === false) await unmount();
});
after(async () => {
  if (skip === false) await cluster("down");
});

interface Refused {
  readonly code: number | null;
  readonly said: string;
}

function refused(program: string, ...words: string[]): Promise<Refused> {
  return new Promise((resolve) => {
    const child = execFile(program, words, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, said: stdout + stderr }),
    );
  });
}

const upIn = async (folder: string, ...more: string[]): Promise<Refused> =>
  await refused(
    process.execPath,
    PROGRAM,
    ...["up", "--name", NAME, "--state", folder, "--nodes", "1"],
    ...(more.includes("--api-port") ? more : ["--api-port", String(await apiPort()), ...more]),
  );

test("refused: a port that is taken, with the name of the flag", { skip }, async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  const { code, said } = await upIn(state, "--api-port", String(port));
  server.close();
  assert.equal(code, 1);
  assert.match(said, new RegExp(`^Error: port ${port} of 127.0.0.1 is taken: choose another --api-port\\n$`));
  assert.equal(existsSync(state), false);
  assert.deepEqual(leftovers(), []);
});

const NOBODY = ["--reuid=nobody", "--regid=nogroup", "--clear-groups", process.execPath, PROGRAM];
const nobodyReads = skip === false && (await tryProgram("setpriv", [...NOBODY, "help"])).code === 0;
const skipNobody = nobodyReads ? false : skip || "nobody cannot read this folder";
for (const command of ["up", "down"])
  test(`refused: ${command} by somebody who is not root`, { skip: skipNobody }, async () => {
    const { code, said } = await refused("setpriv", ...NOBODY, command, "--name", NAME, "--state", state);
    assert.equal(code, 1);
    assert.match(said, /^Error: .* needs root: .*\(try sudo\)\n$/);
    assert.equal(existsSync(state), false);
  });

test("refused: a folder that holds other things, which stay", { skip }, async () => {
  mkdirSync(disk, { recursive: true });
  writeFileSync(join(disk, "diary.txt"), "");
  const { code, said } = await upIn(disk);
  assert.equal(code, 1);
  assert.match(said, /holds other things \(diary\.txt\)/);
  assert.deepEqual(readdirSync(disk), ["diary.txt"]);
});

test("refused: a disk that is too small", { skip }, async () => {
  await mountDisk("size=8m");
  const { code, said } = await upIn(disk);
  assert.equal(code, 1);
  assert.match(
    said,
    /^Error: the disk of \S+ has \d MiB left, a cluster needs at least 64 MiB: .*--state\n$/,
  );
  assert.deepEqual(readdirSync(disk), []);
});

for (const [name, files] of [
  ["at once", 4],
  ["while the cluster comes up", 24],
] as const)
  test(`a disk that is full ${name}`, { skip }, async () => {
    // Room for bytes, but for a few files only: the preflight cannot know when those run out.
    await mountDisk(`size=128m,nr_inodes=${files}`);
    const { code, said } = await upIn(disk);
    assert.equal(code, 1);
    assert.match(
      said,
      /^(starting .*\n)?(node .*\n)*Error: no space is left for the cluster's state in \S+: .*--state\n$/,
    );
    assert.deepEqual(readdirSync(disk), []);
    assert.deepEqual(leftovers(), []);
  });

test("a disk that fills up under a running cluster: writes are refused, and come back with the space", {
  skip,
  timeout: 120_000,
}, async () => {
  await mountDisk("size=80m");
  const { code, said } = await upIn(disk);
  assert.equal(code, 0, said);
  const client = createKubernetesClient(loadKubeconfig(readFileSync(join(disk, "kubeconfig"), "utf8")), {
    clock: systemClock,
  });
  const pid = daemonPid(disk);
  const write = (name: string): Promise<unknown> =>
    client.create(CONFIG_MAPS, {
      metadata: { namespace: "default", name },
      data: { a: "x".repeat(200_000) },
    });
  try {
    await write("before");
    await tryProgram("dd", ["if=/dev/zero", `of=${join(disk, "ballast")}`, "bs=64k"]);
    let status: number | undefined;
    for (let at = 0; at < 60 && status === undefined; at++)
      await write(`during-${at}`).catch((error: unknown) => {
        status = statusOf(error)?.code;
      });
    assert.ok(status === 507 || status === 500, `${status}`);
    const found = await client.get(CONFIG_MAPS, { namespace: "default", name: "before" });
    assert.equal(found?.data?.["a"]?.length, 200_000, "what was there can be read");
    rmSync(join(disk, "ballast"));
    await holds(async () => void (await write(`after-${Math.random().toString(36).slice(2)}`)));
    assert.equal(daemonPid(disk), pid, "the process is the same");
    process.kill(pid, 0);
  } finally {
    client.close();
    await refused(process.execPath, PROGRAM, "down", "--name", NAME, "--state", disk);
  }
  assert.deepEqual(leftovers(), []);
});
