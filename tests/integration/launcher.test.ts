/** The commands `meltemi` and `istioctl` of a clone, as users get them: by PATH, by a link, from any folder. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const root = join(import.meta.dirname, "..", "..");
const folder = mkdtempSync(join(tmpdir(), "meltemi launcher-"));
after(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Started {
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<Ended>;
}

function start(
  program: string,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Started {
  const child = spawn(program, words, {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => {
      output[name] += text;
    });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, ...output }));
  });
  return { kill: (signal) => void child.kill(signal), ended };
}

const inPath = { PATH: `${join(root, "bin")}:${process.env["PATH"]}` };

for (const name of ["meltemi", "istioctl"]) {
  test(`${name} is a command, and knows its name`, async () => {
    const { code, stdout, stderr } = await start(name, ["waypoint", "--help"], inPath).ended;
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`^Usage: ${name} waypoint`));
  });

  test(`${name} is completed in a shell`, async () => {
    const script = `source <(${name} completion bash); COMP_WORDS=(${name} wayp); COMP_CWORD=1
      "$(complete -p ${name} | sed 's/.*-F \\([^ ]*\\) .*/\\1/')"; echo "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = await start("bash", ["-c", script], inPath).ended;
    assert.equal(stdout.trim(), "waypoint", stderr);
  });
}

test("a link elsewhere is the same command", async () => {
  const link = join(folder, "istioctl");
  symlinkSync(join(root, "bin", "istioctl"), link);
  const { code, stdout } = await start(link, ["waypoint", "--help"]).ended;
  assert.equal(code, 0);
  assert.match(stdout, /^Usage: istioctl waypoint/);
});

test("exit codes are the program's", async () => {
  assert.equal((await start("meltemi", ["no-such-command"], inPath).ended).code, 1);
});

test("a signal reaches the program itself, which ends as after Ctrl-C", async () => {
  // An API server that never answers.
  const asked = Promise.withResolvers<void>();
  const server = createServer(() => asked.resolve()).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { readonly port: number };
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(
    kubeconfig,
    JSON.stringify({
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "c", user: "c" } }],
      clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${port}` } }],
      users: [{ name: "c", user: {} }],
    }),
  );
  const started = start("istioctl", ["waypoint", "list", "--kubeconfig", kubeconfig], inPath);
  await asked.promise;
  started.kill("SIGTERM");
  const { code, signal } = await started.ended;
  server.close();
  assert.deepEqual([code, signal], [130, null]);
});

test("before anything is installed, it says what it needs", async () => {
  const fresh = join(folder, "fresh");
  mkdirSync(fresh);
  cpSync(join(root, "bin"), join(fresh, "bin"), { recursive: true, verbatimSymlinks: true });
  const bare = join(folder, "bare");
  mkdirSync(bare);
  for (const program of ["sh", "readlink"]) symlinkSync(`/usr/bin/${program}`, join(bare, program));
  const { code, stderr } = await start(join(fresh, "bin", "istioctl"), [], { PATH: bare }).ended;
  assert.equal(code, 127);
  assert.match(stderr, /^istioctl: Node\.js 20 or newer and npm are needed once/);
});
