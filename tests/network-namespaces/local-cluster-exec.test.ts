/** `kubectl exec` into a local cluster's pods: the real kubectl over WebSocket, real processes in real containers. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:https";
import { createConnection } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connect as connectTls } from "node:tls";
import {
  apiPort,
  apply,
  cluster,
  daemonPid,
  holds,
  kubectl,
  pod,
  skip,
  state,
  up,
} from "./local-cluster.fixture.ts";

before(async () => {
  if (skip !== false) return;
  // What a crashed run left behind.
  await cluster("down");
  await up();
  const containers = [
    {
      name: "main",
      image: "localhost/host",
      command: ["sleep", "3600"],
      env: [{ name: "COLOUR", value: "blue" }],
    },
    { name: "side", image: "localhost/host", command: ["sleep", "3600"] },
  ];
  const broken = { name: "broken", image: "localhost/nothing", command: ["true"] };
  await apply(
    pod("box", { spec: { containers } }),
    pod("half", { spec: { containers: [...containers.slice(1), broken] } }),
  );
  await kubectl("wait", "--for=condition=Ready", "pod/box", "--timeout=30s");
});

after(async () => {
  if (skip === false) await cluster("down");
});

interface Ended {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

function start(program: string, words: readonly string[]): ChildProcess {
  const env = { ...process.env, KUBECONFIG: join(state, "kubeconfig") };
  return spawn(program, words, { env, stdio: ["pipe", "pipe", "pipe"], timeout: 60_000 });
}

function ended(child: ChildProcess): Promise<Ended> {
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout?.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on("data", (chunk: Buffer) => stderr.push(chunk));
  return new Promise((resolve) =>
    child.on("close", (code) =>
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString() }),
    ),
  );
}

/** `input` undefined: standard input is closed at once. */
function exec(words: readonly string[], input: Uint8Array = Buffer.alloc(0)): Promise<Ended> {
  const child = start("kubectl", ["exec", ...words]);
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(input);
  return ended(child);
}

const cases: readonly {
  readonly name: string;
  readonly words: readonly string[];
  readonly input?: string;
  readonly code?: number;
  readonly stdout?: RegExp;
  readonly stderr?: RegExp;
}[] = [
  { name: "output", words: ["box", "--", "echo", "a  b", "c'd"], stdout: /^a {2}b c'd\n$/ },
  {
    name: "the container's environment and host name",
    words: ["box", "--", "sh", "-c", "echo $COLOUR $(hostname)"],
    stdout: /^blue box\n$/,
  },
  {
    name: "errors go to stderr",
    words: ["box", "--", "sh", "-c", "echo out; echo err >&2"],
    stdout: /^out\n$/,
    stderr: /^err$/m,
  },
  { name: "its exit code", words: ["box", "--", "sh", "-c", "exit 7"], code: 7, stderr: /exit code 7/ },
  { name: "ended by a signal", words: ["box", "--", "sh", "-c", "kill -TERM $$"], code: 143 },
  {
    name: "another container",
    words: ["box", "-c", "side", "--", "sh", "-c", "echo in-$COLOUR"],
    stdout: /^in-\n$/,
  },
  { name: "input to its end", words: ["-i", "box", "--", "sort"], input: "b\na\n", stdout: /^a\nb\n$/ },
  { name: "input that is not read", words: ["-i", "box", "--", "true"], input: "x".repeat(300_000) },
  {
    name: "-t without -i: kubectl itself asks for no terminal then",
    words: ["-t", "box", "--", "tty"],
    code: 1,
    stdout: /^not a tty\n$/,
  },
  { name: "no terminal", words: ["box", "--", "tty"], code: 1, stdout: /^not a tty\n$/ },
  {
    name: "unknown container",
    words: ["box", "-c", "nobody", "--", "true"],
    code: 1,
    stderr: /container nobody (is not valid|not found)/,
  },
  {
    name: "a container that does not run",
    words: ["half", "-c", "broken", "--", "true"],
    code: 1,
    stderr: /BadRequest.*container broken of pod default\/half does not run/,
  },
  { name: "unknown pod", words: ["nobody", "--", "true"], code: 1, stderr: /pods "nobody" not found/ },
  {
    name: "command not found",
    words: ["box", "--", "no-such-program"],
    code: 127,
    stderr: /no-such-program/,
  },
];
for (const { name, words, input, code = 0, stdout = /^/, stderr = /^/ } of cases)
  test(`exec: ${name}`, { skip }, async () => {
    const end = await exec(words, input === undefined ? undefined : Buffer.from(input));
    assert.equal(end.code, code, end.stderr);
    assert.match(end.stdout.toString(), stdout);
    assert.match(end.stderr, stderr);
  });

test("exec: a large input comes back whole, and so does a large output", { skip }, async () => {
  const bytes = randomBytes(8 * 1024 * 1024);
  const echoed = await exec(["-i", "box", "--", "cat"], bytes);
  assert.equal(echoed.code, 0, echoed.stderr);
  const digest = (data: Uint8Array): string => createHash("sha256").update(data).digest("hex");
  assert.equal(digest(echoed.stdout), digest(bytes));
  const long = await exec(["box", "--", "sh", "-c", "head -c 33554432 /dev/zero"]);
  assert.equal(long.stdout.length, 32 * 1024 * 1024);
});

test("exec -it: a terminal on both sides", { skip }, async () => {
  const command = "kubectl exec -it box -- sh -c 'tty; read line; echo got $line'";
  const child = start("script", ["-qec", command, "/dev/null"]);
  let said = "";
  child.stdout?.on("data", (chunk) => (said += String(chunk)));
  const end = ended(child);
  await holds(async () => assert.match(said, /\/dev\/pts\/\d+/));
  child.stdin?.write("hello\n");
  assert.equal((await end).code, 0);
  assert.match(said, /got hello/);
});

/** The machine's processes with exactly these words. */
function running(...words: readonly string[]): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8") === `${words.join("\0")}\0`;
    } catch {
      // It ended meanwhile.
      return false;
    }
  });
}

for (const tty of [false, true])
  test(`exec: a client that goes away ends its command${tty ? ", with a terminal" : ""}`, {
    skip,
  }, async () => {
    const seconds = tty ? "76543" : "65432";
    const words = ["exec", ...(tty ? ["-it"] : []), "box", "--", "sleep", seconds];
    const child = tty
      ? start("script", ["-qec", `kubectl ${words.join(" ")}`, "/dev/null"])
      : start("kubectl", words);
    const end = ended(child);
    await holds(async () => assert.equal(running("sleep", seconds).length, 1));
    child.kill("SIGKILL");
    await end;
    await holds(async () => assert.deepEqual(running("sleep", seconds), []));
  });

function adminAuthorization(): string {
  const token = /token: "?([^"\s]+)/.exec(readFileSync(join(state, "kubeconfig"), "utf8"))?.[1] ?? "";
  return `Bearer ${token}`;
}

/** What a rude client sends: it is cut after some bytes, or goes on with some noise, and never says goodbye. */
const RUDENESS: readonly { readonly head?: number; readonly tail?: Uint8Array }[] = [
  ...[0, 1, 17, 60, 150, 400].map((head) => ({ head })),
  { tail: Buffer.alloc(0) },
  // A frame without a mask, one that is too long, a text frame, half a frame, noise.
  ...["820100", "82ff00000000ffffffff00000000", "818100000000", "82fe0fff0000", "ff00ff00ff"].map((hex) => ({
    tail: Buffer.from(hex, "hex"),
  })),
  ...Array.from({ length: 8 }, () => ({ tail: randomBytes(64) })),
];

test("exec and log: clients that break off anywhere do not hurt the cluster's process", {
  skip,
}, async () => {
  const [pid, port, authorization] = [daemonPid(), await apiPort(), adminAuthorization()];
  const pods = "/api/v1/namespaces/default/pods/box";
  const upgrade =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n";
  const flood = `${pods}/exec?container=main&stdin=1&stdout=1&stderr=1&command=sh&command=-c&command=${encodeURIComponent("exec yes 31415")}`;
  const requests = [
    [flood, upgrade],
    [`${pods}/log?container=main&follow=true`, ""],
    ["/api/v1/pods?watch=true", ""],
  ] as const;
  for (const [path, extra] of requests)
    for (const { head, tail } of RUDENESS) {
      const text = `GET ${path} HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\n${extra}\r\n`;
      await breakOff(port, Buffer.from(text.slice(0, head)), tail);
    }
  await holds(async () => assert.deepEqual(running("yes", "31415"), []));
  assert.equal(daemonPid(), pid);
  assert.equal((await exec(["box", "--", "echo", "alive"])).stdout.toString(), "alive\n");
});

/** With `tail`, an answer is waited for and the noise follows; then the connection is reset. */
function breakOff(port: number, text: Uint8Array, tail: Uint8Array | undefined): Promise<void> {
  return new Promise((resolve) => {
    const raw = createConnection(port, "127.0.0.1");
    const socket = connectTls({ socket: raw, rejectUnauthorized: false });
    const cut = (): void => void raw.resetAndDestroy();
    socket.on("error", () => undefined);
    raw.on("error", () => undefined);
    raw.on("close", () => resolve());
    socket.write(text, () => tail === undefined && cut());
    socket.once("data", () => socket.write(tail ?? "", cut));
  });
}

test("exec: without credentials, or without a handshake, nothing runs", { skip }, async () => {
  const port = await apiPort();
  const ask = (headers: Record<string, string>, seconds: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const path = `/api/v1/namespaces/default/pods/box/exec?container=main&stdout=1&command=sleep&command=${seconds}`;
      const upgrade = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
      const call = request({
        host: "127.0.0.1",
        port,
        path,
        rejectUnauthorized: false,
        headers: { ...upgrade, "sec-websocket-protocol": "v5.channel.k8s.io", ...headers },
      });
      call.on("response", (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      });
      call.on("upgrade", (_response, socket) => {
        socket.destroy();
        resolve(101);
      });
      call.on("error", reject);
      call.end();
    });
  assert.equal(await ask({ "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==" }, "54321"), 403);
  assert.deepEqual(running("sleep", "54321"), []);
  const authorization = adminAuthorization();
  assert.equal(await ask({ authorization, "sec-websocket-key": "short" }, "54322"), 400);
  await holds(async () => assert.deepEqual(running("sleep", "54322"), []));
  assert.equal(await ask({ authorization, "sec-websocket-protocol": "v1.channel" }, "54323"), 400);
});

test("exec: a command under way does not hold up the end of the cluster's process", { skip }, async () => {
  const child = start("kubectl", ["exec", "box", "--", "sleep", "43210"]);
  const end = ended(child);
  await holds(async () => assert.equal(running("sleep", "43210").length, 1));
  const pid = daemonPid();
  process.kill(pid, "SIGTERM");
  await holds(async () => assert.equal(readdirSync("/proc").includes(String(pid)), false));
  assert.notEqual((await end).code, 0);
  assert.deepEqual(running("sleep", "43210"), []);
  await up();
  assert.equal((await exec(["box", "--", "echo", "again"])).stdout.toString(), "again\n");
});
