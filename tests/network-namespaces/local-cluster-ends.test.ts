/** How containers end in a local cluster: exit codes, signals, programs that are not there. Real processes, real kubectl. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import {
  apply,
  cluster,
  containerProcesses,
  daemonPid,
  holds,
  kubectl,
  NAME,
  PROGRAM,
  pod,
  refusal,
  skip,
  state,
  up,
} from "./local-cluster.fixture.ts";

const run = promisify(execFile);

before(async () => {
  if (skip !== false) return;
  // What a crashed run left behind.
  await cluster("down");
  await up();
});

after(async () => {
  if (skip === false) await cluster("down");
});

interface Ended {
  readonly exitCode?: number;
  readonly reason?: string;
  readonly message?: string;
}

async function endOf(name: string, which: "state" | "lastState" = "state"): Promise<Ended> {
  const path = `jsonpath={.status.containerStatuses[0].${which}.terminated}`;
  return JSON.parse((await kubectl("get", "pod", name, "-o", path)) || "{}");
}

const spec = { restartPolicy: "Never" };

for (const hostPID of [false, true])
  test(`a killed program: 128 + the signal, and nothing but its own words in the log (hostPID ${hostPID})`, {
    skip,
  }, async () => {
    const name = `killed-${hostPID}`;
    await apply(pod(name, { script: "echo its own words; exec sleep 3600", spec: { ...spec, hostPID } }));
    await holds(async () => assert.equal(await kubectl("logs", name), "its own words\n"));
    const program = (await containerProcesses(name)).at(-1);
    process.kill(Number(program), "SIGKILL");
    await holds(async () => assert.equal((await endOf(name)).exitCode, 137));
    assert.equal(await kubectl("logs", name), "its own words\n");
  });

test("a program's own exit code stays what it is", { skip }, async () => {
  await apply(pod("seven", { script: "exit 7", spec }));
  await holds(async () => assert.equal((await endOf("seven")).exitCode, 7));
});

const programs: readonly (readonly [string, string, RegExp])[] = [
  [
    "absent",
    "/bin/nosuchprogram",
    /^exec: "\/bin\/nosuchprogram": stat \/bin\/nosuchprogram: no such file or directory$/,
  ],
  ["not-in-path", "nosuchprogram", /^exec: "nosuchprogram": executable file not found in \$PATH$/],
  ["no-program", "/etc/passwd", /^exec: "\/etc\/passwd": permission denied$/],
  ["folder", "/etc", /^exec: "\/etc": permission denied$/],
];
for (const [name, program, want] of programs)
  test(`a program that cannot be started: ${name}`, { skip }, async () => {
    await apply(pod(name, { container: { command: [program] }, spec }));
    await holds(async () => assert.equal((await endOf(name)).reason, "StartError"));
    const end = await endOf(name);
    assert.equal(end.exitCode, 128);
    assert.match(end.message ?? "", want);
    await holds(async () => {
      const events = await kubectl("get", "events", "--field-selector", `involvedObject.name=${name}`);
      assert.match(events, /Failed .*RunContainerError: exec: /);
      assert.doesNotMatch(events, /Started/);
    });
  });

test("while the cluster is up: another port is refused, and so is a second up while one is at it", {
  skip,
}, async () => {
  const where = ["--name", NAME, "--state", state];
  assert.match(
    await refusal("up", "--api-port", "1", ...where),
    /--api-port 1: cluster lctest is up, .* listens on port/,
  );
  const lock = join("/run/meltemi", `${NAME}.lock`);
  const startTicks = Number(readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)?.split(" ")[19]);
  writeFileSync(lock, JSON.stringify({ pid: process.pid, startTicks, verb: "up" }));
  const holder = new RegExp(`^Error: cluster ${NAME} is being brought up by process ${process.pid}: `);
  try {
    assert.match(await refusal("down", ...where), holder);
    assert.match(await refusal("up", ...where), holder);
  } finally {
    rmSync(lock);
  }
});

test("a daemon that died: status says so, and up brings it back", { skip }, async () => {
  const pid = daemonPid();
  process.kill(pid, "SIGKILL");
  await holds(async () => assert.equal(existsSync(`/proc/${pid}`), false));
  const told = await run(process.execPath, [PROGRAM, "status", "--name", NAME, "--state", state]).then(
    () => "up",
    (error: { readonly stdout: string }) => error.stdout,
  );
  assert.match(told, new RegExp(`its process ${pid} ended unexpectedly`));
  await up();
  assert.match(await cluster("status"), /^cluster lctest: up/);
});

test("it is tried again, more and more slowly, and the last failure is there to read", { skip }, async () => {
  await apply(pod("again", { container: { command: ["/bin/nosuchprogram"] } }));
  await holds(async () => assert.equal((await endOf("again", "lastState")).reason, "StartError"));
  await holds(async () =>
    assert.match(await kubectl("get", "pod", "again", "--no-headers"), /CrashLoopBackOff +[2-9]/),
  );
});
