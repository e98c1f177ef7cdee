import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { createLogger, LogFilter, MeshError, systemClock } from "@meltemi/runtime";
import { createTemporaryFolder, eventually, type TemporaryFolder } from "@meltemi/testkit";
import type { PodEvent } from "../plugin-events/pod-event.ts";
import { startPluginEventServer } from "../plugin-events/server.ts";
import { createInstaller, type Installer } from "./installer.ts";
import { renderWrapper } from "./plugin-program.ts";

const sink = {
  filter: new LogFilter("off"),
  format: "plain",
  nowMs: () => 0,
  write: () => undefined,
} as const;
const log = createLogger(sink, "install");
const LIST = { cniVersion: "1.0.0", name: "net", plugins: [{ type: "ptp" }] };
const SOURCES = ["main", "ask-agent", "cni-call"].map((name) =>
  join(import.meta.dirname, `../plugin/${name}.ts`),
);

interface Node extends AsyncDisposable {
  readonly folder: TemporaryFolder;
  readonly installer: Installer;
  /** What is missing, as the agent's readiness says it. */
  readonly missing: () => string | undefined;
  types(file?: string): Promise<readonly string[]>;
  writeList(file?: string): Promise<void>;
}

async function makeNode(): Promise<Node> {
  const folder = await createTemporaryFolder("cni");
  for (const name of ["bin", "net.d", "run"]) await mkdir(folder.file(name));
  let missing: string | undefined = "starting";
  const installer = createInstaller(
    {
      binFolder: folder.file("bin"),
      confFolder: folder.file("net.d"),
      confName: undefined,
      ownedName: undefined,
      chained: true,
    },
    {
      clock: systemClock,
      log,
      payload: { sources: SOURCES, node: process.execPath, hostRoot: "/" },
      entry: {
        type: "istio-cni",
        cni_agent_run_dir: folder.file("run"),
        exclude_namespaces: ["kube-system"],
      },
      onState: (now) => {
        missing = now;
      },
      onInstall: () => undefined,
    },
  );
  const list = (file: string): string => join(folder.file("net.d"), file);
  return {
    folder,
    installer,
    missing: () => missing,
    types: async (file = "10-net.conflist") =>
      JSON.parse(await readFile(list(file), "utf8")).plugins.map((plugin: { type: string }) => plugin.type),
    writeList: (file = "10-net.conflist") => writeFile(list(file), JSON.stringify(LIST)),
    async [Symbol.asyncDispose]() {
      await installer.stop();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test("the plugin is chained, put back when someone rewrites the list, and taken out whole", async () => {
  await using node = await makeNode();
  await node.writeList();
  await node.installer.check();
  assert.deepEqual([await node.types(), node.missing()], [["ptp", "istio-cni"], undefined]);
  await node.writeList();
  await eventually(async () => (await node.types()).length === 2);
  await node.writeList("05-new.conflist");
  await eventually(async () => (await node.types("05-new.conflist")).length === 2);
  await node.installer.uninstall();
  assert.deepEqual([await node.types(), await node.types("05-new.conflist")], [["ptp"], ["ptp"]]);
  assert.deepEqual(await readdir(node.folder.file("bin")), []);
  assert.deepEqual(await readdir(node.folder.file("net.d")), ["05-new.conflist", "10-net.conflist"]);
});

test("without a list to join the agent is not ready, and joins the first that comes", async () => {
  await using node = await makeNode();
  await node.installer.check();
  assert.match(node.missing() ?? "", /found none/);
  await node.writeList();
  await eventually(() => node.missing() === undefined);
  assert.deepEqual(await node.types(), ["ptp", "istio-cni"]);
});

test("a list that is no JSON stays as it is", async () => {
  await using node = await makeNode();
  const path = join(node.folder.file("net.d"), "10-net.conflist");
  await writeFile(path, "{broken");
  await node.installer.check();
  assert.match(node.missing() ?? "", /expected JSON/);
  assert.equal(await readFile(path, "utf8"), "{broken");
});

test("an ordinary stop leaves the plugin in place", async () => {
  await using node = await makeNode();
  await node.writeList();
  await node.installer.check();
  await node.installer.stop();
  assert.deepEqual(await node.types(), ["ptp", "istio-cni"]);
});

test("a Node with a quote in its path stays one word", () => {
  assert.match(renderWrapper("/opt/it's/node", "main.mjs"), /exec '\/opt\/it'\\''s\/node' "\$\{0%\/\*\}/);
  assert.match(renderWrapper(undefined, "main.mjs"), /exec "\$\{0%\/\*\}\/\.istio-cni\/node" /);
});

interface Run {
  readonly code: number;
  readonly output: string;
}

const PREVIOUS = {
  cniVersion: "1.0.0",
  ips: [{ address: "10.0.0.2/24", gateway: "10.0.0.1", interface: 0 }],
};

/** Runs the installed plugin as a runtime does, with an empty environment but for CNI's own. */
async function runPlugin(node: Node, changes: Readonly<Record<string, string>> = {}): Promise<Run> {
  const list = JSON.parse(await readFile(join(node.folder.file("net.d"), "10-net.conflist"), "utf8"));
  const env = {
    CNI_COMMAND: "ADD",
    CNI_NETNS: "/run/netns/one",
    CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAME=one;K8S_POD_NAMESPACE=default",
    ...changes,
  };
  const child = promisify(execFile)(join(node.folder.file("bin"), "istio-cni"), [], { env });
  child.child.stdin?.end(
    JSON.stringify({ ...list.plugins.at(-1), cniVersion: "1.0.0", prevResult: PREVIOUS }),
  );
  return await child.then(
    ({ stdout }) => ({ code: 0, output: stdout }),
    (error: { code: number; stdout: string }) => ({ code: error.code, output: error.stdout }),
  );
}

test("the installed plugin asks the agent: it passes the previous result on, or the agent's reason", async () => {
  await using node = await makeNode();
  await node.writeList();
  await node.installer.check();
  const asked: PodEvent[] = [];
  const answers: boolean[] = [];
  const agent = await startPluginEventServer(node.folder.file("run/pluginevent.sock"), {
    clock: systemClock,
    log,
    onRequest: (accepted) => answers.push(accepted),
    async enrol(event) {
      asked.push(event);
      if (asked.length > 1) throw new MeshError("UNAVAILABLE", "no ztunnel is connected");
    },
  });
  const accepted = await runPlugin(node);
  assert.deepEqual([accepted.code, JSON.parse(accepted.output)], [0, PREVIOUS]);
  const refused = await runPlugin(node);
  assert.equal(refused.code, 1);
  assert.match(JSON.parse(refused.output).details, /no ztunnel is connected/);
  assert.deepEqual(asked[0], {
    netnsPath: "/run/netns/one",
    podName: "one",
    podNamespace: "default",
    podUid: undefined,
    addresses: ["10.0.0.2"],
  });
  assert.deepEqual(answers, [true, false]);
  assert.equal((await runPlugin(node, { CNI_COMMAND: "STATUS" })).code, 0);
  await agent.close();
});

test("without an agent a pod fails, one of an excluded namespace does not, and removal always works", async () => {
  await using node = await makeNode();
  await node.writeList();
  await node.installer.check();
  const alone = await runPlugin(node);
  assert.deepEqual([alone.code, JSON.parse(alone.output).code], [1, 5]);
  assert.equal((await runPlugin(node, { CNI_ARGS: "K8S_POD_NAME=a;K8S_POD_NAMESPACE=kube-system" })).code, 0);
  assert.deepEqual(await runPlugin(node, { CNI_COMMAND: "DEL" }), { code: 0, output: "" });
  const status = await runPlugin(node, { CNI_COMMAND: "STATUS" });
  assert.deepEqual([status.code, JSON.parse(status.output).code], [1, 50]);
  assert.ok(
    JSON.parse((await runPlugin(node, { CNI_COMMAND: "VERSION" })).output).supportedVersions.includes(
      "1.1.0",
    ),
  );
});
