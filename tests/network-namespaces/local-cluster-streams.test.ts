/** `kubectl port-forward`, `attach`, `run -i`, and what older kubectls speak (SPDY in place of WebSockets), into real pods. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createPodStreams, loadKubeconfig } from "@meltemi/kubernetes";
import { eventually } from "@meltemi/testkit";
import { apply, cluster, kubectl, pod, skip, state, up } from "./local-cluster.fixture.ts";

/** Answers each connection's whole input, in capitals, once that has ended; `large` answers 8 MiB. */
const SERVER = `
const { createServer } = require("node:net");
createServer({ allowHalfOpen: true }, (socket) => {
  let text = "";
  socket.on("error", () => {});
  socket.on("data", (chunk) => { text += chunk; if (text === "reset") socket.resetAndDestroy(); });
  socket.on("end", () => socket.end(text === "large" ? "x".repeat(8 << 20) : text.toUpperCase()));
}).listen(8080, "127.0.0.1");`;

const script = `node -e '${SERVER}'`;
const reader = { stdin: true, command: ["sh", "-c", "while read -r line; do echo got $line; done"] };

before(async () => {
  if (skip !== false) return;
  // What a crashed run left behind.
  await cluster("down");
  await up();
  await apply(pod("server", { script }), pod("reader", { container: reader }), {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "server" },
    spec: { selector: { app: "server" }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  await kubectl("wait", "--for=condition=Ready", "pod/server", "pod/reader", "--timeout=30s");
});

after(async () => {
  if (skip === false) await cluster("down");
});

function start(words: readonly string[], environment: Record<string, string> = {}): ChildProcess {
  const env = { ...process.env, ...environment, KUBECONFIG: join(state, "kubeconfig") };
  return spawn("kubectl", words, { env, stdio: ["pipe", "pipe", "pipe"], timeout: 60_000 });
}

async function ended(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  let [stdout, stderr] = ["", ""];
  child.stdout?.on("data", (chunk) => (stdout += chunk));
  child.stderr?.on("data", (chunk) => (stderr += chunk));
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, stdout, stderr };
}

interface Forward extends Disposable {
  readonly port: number;
  readonly said: () => string;
}

async function forward(words: readonly string[], environment: Record<string, string>): Promise<Forward> {
  const child = start(["port-forward", ...words], environment);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (text += chunk));
  await eventually(() => /Forwarding from 127\.0\.0\.1:\d+/.test(text), { deadlineMs: 20_000 });
  const port = Number(/Forwarding from 127\.0\.0\.1:(\d+)/.exec(text)?.[1]);
  return { port, said: () => text, [Symbol.dispose]: () => void child.kill() };
}

/** Says `text`, closes its half, and reads to the end. */
function ask(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket: Socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    socket.setEncoding("utf8");
    socket.on("data", (chunk) => (answer += chunk));
    socket.once("end", () => resolve(answer));
    socket.once("error", reject);
    socket.end(text);
  });
}

const ways = [
  { name: "SPDY inside a WebSocket", environment: {} },
  {
    name: "SPDY",
    environment: { KUBECTL_PORT_FORWARD_WEBSOCKETS: "false", KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false" },
  },
];
for (const { name, environment } of ways) {
  test(`port-forward over ${name}: many at once, large, half-closed`, { skip }, async () => {
    using forwarded = await forward(["svc/server", ":80"], environment);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => ask(forwarded.port, `hello ${index}`)),
    );
    assert.deepEqual(
      answers,
      Array.from({ length: 20 }, (_, index) => `HELLO ${index}`),
    );
    assert.equal((await ask(forwarded.port, "large")).length, 8 << 20);
    assert.doesNotMatch(forwarded.said(), /error/);
  });

  test(`port-forward over ${name}: nobody listens there`, { skip }, async () => {
    using forwarded = await forward(["pod/server", ":8081"], environment);
    await ask(forwarded.port, "hello").catch(() => undefined);
    await eventually(() => /lost connection to pod|an error occurred/.test(forwarded.said()), {
      deadlineMs: 20_000,
    });
    assert.match(
      forwarded.said(),
      /error forwarding port 8081 to pod server_default, uid [-0-9a-f]{36}: failed to connect to localhost:8081/,
    );
  });

  test(`exec over ${name}: input, both outputs, exit code`, { skip }, async () => {
    const child = start(["exec", "-i", "server", "--", "sh", "-c", "cat; echo no >&2; exit 7"], environment);
    child.stdin?.end("x".repeat(3_000_000));
    const { code, stdout, stderr } = await ended(child);
    assert.equal(code, 7);
    assert.equal(stdout.length, 3_000_000);
    assert.match(stderr, /^no\n/);
  });

  test(`attach over ${name}: the container's own input and output`, { skip }, async () => {
    const child = start(["attach", "-i", "reader"], environment);
    let text = "";
    child.stdout?.on("data", (chunk) => (text += chunk));
    // What is written before kubectl is there is the container's all the same.
    await eventually(
      () => {
        child.stdin?.write("line\n");
        return text.includes("got line");
      },
      { deadlineMs: 20_000 },
    );
    child.kill();
    await kubectl("wait", "--for=condition=Ready", "pod/reader", "--timeout=1s");
  });
}

test("run -i: input until its end, then the container's exit", { skip }, async () => {
  const words = ["run", "counter", "-i", "--rm", "--image=localhost/host", "--restart=Never", "--quiet"];
  const child = start([...words, "--", "wc", "-c"]);
  child.stdin?.end("12345");
  const { code, stdout } = await ended(child);
  assert.equal(`${code} ${stdout.trim()}`, "0 5");
});

test("cp into a pod and back", { skip }, async () => {
  await kubectl("cp", "/etc/services", "server:/tmp/services");
  await kubectl("cp", "server:/tmp/services", join(state, "services"));
  assert.deepEqual(readFileSync(join(state, "services")), readFileSync("/etc/services"));
});

test("this project's own client, over channels", { skip }, async () => {
  const streams = createPodStreams(loadKubeconfig(readFileSync(join(state, "kubeconfig"), "utf8")));
  const refused = await streams.forward({ namespace: "default", name: "server" }, 8081);
  await assert.rejects(async () => {
    for await (const _ of refused);
  }, /failed to connect to localhost:8081/);
  const stream = await streams.forward({ namespace: "default", name: "server" }, 8080);
  const failed = new Promise<Error>((resolve) => stream.once("error", resolve));
  stream.resume();
  stream.write("reset");
  assert.match((await failed).message, /ECONNRESET/);
});

test("a pod that is not there, a port that is none", { skip }, async () => {
  const missing = await ended(start(["port-forward", "pod/missing", "8080"]));
  assert.match(missing.stderr, /pods "missing" not found/);
  await assert.rejects(
    createPodStreams(loadKubeconfig(readFileSync(join(state, "kubeconfig"), "utf8"))).forward(
      { namespace: "default", name: "server" },
      70_000,
    ),
    /unable to parse/,
  );
});
