/**
 * A machine of the cluster: processes in namespaces of their own over a file system of their own, with an init that restarts what ends.
 * Its programs are the host's and those of the unpacked packages; its /etc, /var and /opt are a folder, which outlives a reboot.
 */

import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { eventually } from "@meltemi/testkit";
import type { Cache } from "./cache.ts";
import { endCgroups, makeCgroups, processesOf } from "./cgroups.ts";
import type { CommandLine } from "./control-plane.ts";
import { runProgram } from "./run-program.ts";

const BOOT = join(import.meta.dirname, "boot-machine.sh");
const BOOT_DEADLINE_MS = 20_000;
/** First the machine's own, so that a program of a package is found before the host's. */
const PATH = "/usr/local/bin:/usr/sbin:/usr/bin";

export interface MachinePlan {
  readonly name: string;
  /** `<folder>/disk` is what a reboot keeps. */
  readonly folder: string;
  /** Services start when the machine has it. */
  readonly address: string;
  /** Text by path on the machine; written before every boot. */
  readonly files: ReadonlyMap<string, string>;
  /** Written only where there are none: others change them, and a reboot keeps what they wrote. */
  readonly firstFiles: ReadonlyMap<string, string>;
  /** Commands of a shell that run once, before the services. */
  readonly setup: readonly string[];
  /** Restarted when they end; each writes `/var/log/<name>.log`. */
  readonly services: ReadonlyMap<string, CommandLine>;
}

/** What every machine has to know of itself. */
const COMMON_FILES = {
  "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n",
  "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
  "/etc/nsswitch.conf": "hosts: files dns\n",
  "/etc/hosts": "127.0.0.1 localhost\n",
  "/etc/resolv.conf": "",
} as const;

/** Writes the machine's files and boots it; resolves with its init's process id when its network may be connected. */
export async function bootMachine(cache: Cache, plan: MachinePlan): Promise<number> {
  await writeFiles(plan);
  const groups = await makeCgroups(plan.name);
  const log = openSync(join(plan.folder, "boot.log"), "a");
  const enter = 'for group in $GROUPS_OF_MACHINE; do echo $$ >"$group/cgroup.procs"; done; exec "$@"';
  const namespaces = ["--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--fork"];
  const boot = ["/bin/sh", BOOT, plan.name, plan.folder, cache.node, cache.bin];
  const child = spawn("/bin/sh", ["-c", enter, "boot", "unshare", ...namespaces, ...boot], {
    detached: true,
    stdio: ["ignore", log, log],
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", GROUPS_OF_MACHINE: groups.join(" ") },
  });
  closeSync(log);
  child.unref();
  let failed: string | undefined;
  child.once("exit", (code) => {
    failed = `its boot ended with ${code}`;
  });
  const outcome = await eventually(() => (failed ? { failed } : initOf(plan.name)), {
    deadlineMs: BOOT_DEADLINE_MS,
    everyMs: 20,
  });
  if (typeof outcome === "number") return outcome;
  const said = await readFile(join(plan.folder, "boot.log"), "utf8");
  throw new Error(`boot machine ${plan.name}: ${outcome.failed}: ${said.slice(-1000)}`);
}

/** As a power cut: everything that runs in the machine ends at once. Its folder stays. */
export async function cutPower(name: string): Promise<void> {
  await endCgroups(name);
}

/** Runs a program inside the machine, with its file system, processes and network. */
export async function runOn(name: string, ...words: readonly string[]): Promise<string> {
  const init = initOf(name);
  if (init === undefined) throw new Error(`run ${words.join(" ")} on ${name}: the machine is off`);
  const env = ["/usr/bin/env", "-i", `PATH=${PATH}`, "HOME=/root"];
  return await runProgram("nsenter", ["--target", String(init), "--all", "--", ...env, ...words]);
}

/** Process id of the machine's init as this process sees it; undefined when the machine is off, or still coming up. */
export function initOf(name: string): number | undefined {
  return processesOf(name).find((pid) => {
    try {
      const isFirst = /^NSpid:\t\d+\t1$/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
      return isFirst && readFileSync(`/proc/${pid}/comm`, "utf8") === "busybox\n";
    } catch {
      // Ended just now.
      return false;
    }
  });
}

async function writeFiles(plan: MachinePlan): Promise<void> {
  const disk = join(plan.folder, "disk");
  const services = [...plan.services].map(
    ([name, line]) => [`/etc/machine/${name}`, serviceScript(name, line)] as const,
  );
  const inittab = [
    "null::sysinit:/bin/sh /etc/machine/setup",
    ...[...plan.services.keys()].map((name) => `null::respawn:/bin/sh /etc/machine/${name}`),
  ];
  const setup = [
    "exec >>/var/log/setup.log 2>&1",
    `export PATH=${PATH}`,
    "set -x",
    "ip link set lo up",
    `until ip address show to ${plan.address} | grep -q inet; do sleep 0.1; done`,
    "sysctl -w net.ipv4.ip_forward=1",
    ...plan.setup,
  ];
  const files = new Map<string, string>([
    ...Object.entries(COMMON_FILES),
    ["/etc/hostname", `${plan.name}\n`],
    ["/etc/inittab", `${inittab.join("\n")}\n`],
    ["/etc/machine/setup", `${setup.join("\n")}\n`],
    ...services,
    ...plan.files,
  ]);
  for (const folder of ["var/log", "var/lib", "opt/cni/bin", "etc/cni/net.d"])
    await mkdir(join(disk, folder), { recursive: true });
  // /var/run is /run on every machine.
  await rm(join(disk, "var/run"), { force: true });
  await runProgram("ln", ["-s", "/run", join(disk, "var/run")]);
  for (const [path, text] of files) await writeInside(disk, path, text);
  for (const [path, text] of plan.firstFiles)
    if (!existsSync(join(disk, path))) await writeInside(disk, path, text);
}

async function writeInside(disk: string, path: string, text: string): Promise<void> {
  await mkdir(dirname(join(disk, path)), { recursive: true });
  // Some are keys.
  const mode = path.startsWith("/etc/kubernetes/") ? 0o600 : 0o644;
  await writeFile(join(disk, path), text, { mode });
}

function serviceScript(name: string, { program, args }: CommandLine): string {
  const words = [program, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  return `exec >>/var/log/${name}.log 2>&1 </dev/null\nexport PATH=${PATH} HOME=/root\nexec ${words.join(" ")}\n`;
}
