import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { promisify } from "node:util";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { eventually } from "@meltemi/testkit";
import { createInstaller, type Installer, wrapperScript } from "./install.ts";

const sink = {
  filter: new LogFilter("off"),
  format: "plain",
  nowMs: () => 0,
  write: () => undefined,
} as const;
const log = createLogger(sink, "install");
const LIST = { cniVersion: "1.0.0", name: "net", plugins: [{ type: "ptp" }] };

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cni-install-"));
  for (const name of ["bin", "net.d", "run"]) await mkdir(join(folder, name));
});
afterEach(() => rm(folder, { recursive: true }));

const listPath = (): string => join(folder, "net.d/10-net.conflist");
const types = async (): Promise<string[]> =>
  JSON.parse(await readFile(listPath(), "utf8")).plugins.map((plugin: { type: string }) => plugin.type);
const writeList = (): Promise<void> => writeFile(listPath(), JSON.stringify(LIST));

function installer(): Installer {
  return createInstaller(
    {
      binFolder: join(folder, "bin"),
      confFolder: join(folder, "net.d"),
      confName: undefined,
      runFolder: join(folder, "run"),
      excludeNamespaces: new Set(["kube-system"]),
      pluginSource: join(import.meta.dirname, "../plugin/main.ts"),
      nodeProgram: process.execPath,
      hostRoot: "/",
    },
    { clock: systemClock, log },
  );
}

test("the plugin is chained, put back when someone rewrites the list, and taken out whole", async () => {
  await writeList();
  const stop = new AbortController();
  const one = installer();
  await one.install(stop.signal);
  assert.deepEqual(await types(), ["ptp", "istio-cni"]);
  let repairs = 0;
  const keeping = one.keep(stop.signal, () => repairs++);
  await writeList();
  await eventually(async () => (await types()).length === 2 && repairs === 1);
  stop.abort();
  await keeping;
  await one.uninstall();
  assert.deepEqual(await types(), ["ptp"]);
  assert.deepEqual(await readdir(join(folder, "bin")), []);
  assert.deepEqual(await readdir(join(folder, "net.d")), ["10-net.conflist"]);
});

test("installing waits for a list to join, and a stop ends the wait", async () => {
  const stop = new AbortController();
  const installing = installer().install(stop.signal);
  await eventually(() => existsSync(join(folder, "bin/istio-cni")));
  stop.abort(new Error("stopped"));
  await assert.rejects(installing, /stopped/);
});

test("a list that is no JSON is an error and stays as it is", async () => {
  await writeFile(listPath(), "{broken");
  await assert.rejects(installer().install(new AbortController().signal), { code: "CONFIG_INVALID" });
  assert.equal(await readFile(listPath(), "utf8"), "{broken");
});

test("a node program with a quote in its path stays one word", () => {
  assert.match(wrapperScript("/opt/it's/node"), /exec '\/opt\/it'\\''s\/node' "\$\{0%\/\*\}/);
  assert.match(wrapperScript(undefined), /exec "\$\{0%\/\*\}\/\.istio-cni\/node" /);
});

interface Run {
  readonly code: number;
  readonly output: string;
}

/** Runs the installed plugin as a runtime does, with an empty environment but for CNI's own. */
async function runPlugin(env: Readonly<Record<string, string>>, config: object): Promise<Run> {
  const child = promisify(execFile)(join(folder, "bin/istio-cni"), [], { env: { ...env } });
  child.child.stdin?.end(JSON.stringify(config));
  return child.then(
    ({ stdout }) => ({ code: 0, output: stdout }),
    (error: { code: number; stdout: string }) => ({ code: error.code, output: error.stdout }),
  );
}

const POD_ENV = {
  CNI_COMMAND: "ADD",
  CNI_NETNS: "/run/netns/one",
  CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAME=one;K8S_POD_NAMESPACE=default",
};
const PREVIOUS = {
  cniVersion: "1.0.0",
  ips: [{ address: "10.0.0.2/24", gateway: "10.0.0.1", interface: 0 }],
};

async function pluginConfig(): Promise<object> {
  await writeList();
  await installer().install(new AbortController().signal);
  const [, entry] = JSON.parse(await readFile(listPath(), "utf8")).plugins;
  return { ...entry, cniVersion: "1.0.0", prevResult: PREVIOUS };
}

test("the installed plugin asks the agent and passes the previous result on", async () => {
  const config = await pluginConfig();
  const asked: unknown[] = [];
  let status = 200;
  const agent = createServer(async (request, response) => {
    asked.push(JSON.parse(Buffer.concat(await request.toArray()).toString()));
    response.writeHead(status).end("ztunnel is not connected");
  }).listen(join(folder, "run/pluginevent.sock"));
  await once(agent, "listening");
  const run = await runPlugin(POD_ENV, config);
  assert.deepEqual([run.code, JSON.parse(run.output)], [0, PREVIOUS]);
  const address = { Interface: 0, Address: { IP: "10.0.0.2", Mask: "24" }, Gateway: "10.0.0.1" };
  assert.deepEqual(asked, [
    { Netns: "/run/netns/one", PodName: "one", PodNamespace: "default", IPs: [address] },
  ]);
  status = 500;
  const refused = await runPlugin(POD_ENV, config);
  assert.equal(refused.code, 1);
  assert.match(JSON.parse(refused.output).details, /ztunnel is not connected/);
  agent.close();
});

test("without an agent a pod fails, one of an excluded namespace does not, and removal always works", async () => {
  const config = await pluginConfig();
  const alone = await runPlugin(POD_ENV, config);
  assert.deepEqual([alone.code, JSON.parse(alone.output).code], [1, 11]);
  const system = { ...POD_ENV, CNI_ARGS: "K8S_POD_NAME=one;K8S_POD_NAMESPACE=kube-system" };
  assert.equal((await runPlugin(system, config)).code, 0);
  assert.deepEqual(await runPlugin({ ...POD_ENV, CNI_COMMAND: "DEL" }, config), { code: 0, output: "" });
  const version = await runPlugin({ CNI_COMMAND: "VERSION" }, {});
  assert.ok(JSON.parse(version.output).supportedVersions.includes("1.0.0"));
  assert.equal((await runPlugin({ CNI_COMMAND: "DANCE" }, config)).code, 1);
});
