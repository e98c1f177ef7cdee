/** What eBPF capture promises beyond the contract that both kinds keep. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import {
  type CaptureBackend,
  type CapturedPod,
  createEbpfCapture,
  createNftablesCapture,
  probeFeatures,
  removeEbpfCapture,
  ZTUNNEL_MARK,
} from "@meltemi/ebpf";
import { openNetworkNamespace } from "@meltemi/linux";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { eventually } from "@meltemi/testkit";
import {
  ADDRESSES,
  APP_PORT,
  converse,
  createScene,
  firstLine,
  type Listening,
  nft,
  type Scene,
  startApp,
  startZtunnel,
} from "./capture-scene.ts";

const PIN_FOLDER = "/sys/fs/bpf/mlx-capture-ebpf-test";
const log = createLogger(
  {
    filter: new LogFilter("warn"),
    format: "plain",
    nowMs: Date.now,
    write: (line) => process.stderr.write(line),
  },
  "capture",
);

let scene: Scene;
let capture: CaptureBackend;
let app: Listening;
const create = (): CaptureBackend =>
  createEbpfCapture({ pinFolder: PIN_FOLDER, nodeNetns: scene.node }, { log });
const pod = (): CapturedPod => ({
  uid: "22222222-3333-4444-5555-666666666666",
  netns: scene.pod,
  addresses: [ADDRESSES.pod[4], ADDRESSES.pod[6]],
  captureDns: true,
  captureInbound: true,
});

before(async () => {
  removeEbpfCapture(PIN_FOLDER);
  scene = createScene();
  capture = create();
  app = await startApp(scene.pod, "app", APP_PORT);
});
after(async () => {
  await app.close();
  capture.close();
  removeEbpfCapture(PIN_FOLDER);
  scene[Symbol.dispose]();
});

test("this kernel has every feature, and the probe says so", () => {
  const report = probeFeatures();
  assert.deepEqual(
    report.features.filter((feature) => !feature.present),
    [],
  );
  assert.equal(report.summary, "eBPF capture is possible");
});

test("a new connection goes to the ztunnel that came last, as long as it listens", async () => {
  await capture.enrol(pod());
  await using older = await startZtunnel(scene.pod, "older");
  await using newer = await startZtunnel(scene.pod, "newer");
  for (let i = 0; i < 20; i++)
    assert.match(
      await firstLine({ netns: scene.outside, destination: { ip: ADDRESSES.pod[4], port: APP_PORT } }),
      /^newer in /,
    );
  await newer.close();
  await using _third = await startZtunnel(scene.pod, "third");
  await older.close();
  for (let i = 0; i < 20; i++)
    assert.match(
      await firstLine({ netns: scene.outside, destination: { ip: ADDRESSES.pod[6], port: APP_PORT } }),
      /^third in /,
    );
  await capture.unenrol(pod());
});

test("a stranger with the address and port of an ended last hop does not follow it to the app", async () => {
  await capture.enrol(pod());
  await using _ztunnel = await startZtunnel(scene.pod);
  for (const family of [4, 6] as const) {
    const source = { ip: ADDRESSES.outside[family], port: 40_001 };
    const destination = { ip: ADDRESSES.pod[family], port: APP_PORT };
    const lastHop = await converse({
      netns: scene.pod,
      source,
      destination,
      transparent: true,
      mark: ZTUNNEL_MARK,
    });
    assert.match(await lastHop.line(), /^app sees/);
    lastHop.socket.resetAndDestroy();
    await once(lastHop.socket, "close");
    const line = await eventually(() => firstLine({ netns: scene.outside, source, destination }));
    assert.match(line, /^ztunnel in /);
  }
  await capture.unenrol(pod());
});

test("what the node masquerades is not taken for its own probes", async () => {
  nft(
    scene.node,
    `add table ip mlx-masquerade
      add chain ip mlx-masquerade post { type nat hook postrouting priority 100; }
      add rule ip mlx-masquerade post ip daddr ${ADDRESSES.pod[4]} masquerade\n`,
  );
  await capture.enrol(pod());
  await using _ztunnel = await startZtunnel(scene.pod);
  const destination = { ip: ADDRESSES.pod[4], port: APP_PORT };
  assert.equal(
    await firstLine({ netns: scene.outside, destination }),
    `ztunnel in ${ADDRESSES.pod[4]} ${APP_PORT} from ${ADDRESSES.node[4]}`,
  );
  assert.match(await firstLine({ netns: scene.node, destination }), /^app sees /);
  nft(scene.node, "delete table ip mlx-masquerade\n");
  await capture.unenrol(pod());
});

test("a pod that nftables captured before is captured by eBPF, with the right destinations", async () => {
  await using _ztunnel = await startZtunnel(scene.pod);
  using nftables = createNftablesCapture({ nodeNetns: scene.node });
  await nftables.enrol(pod());
  await nftables.unenrol(pod());
  await capture.enrol(pod());
  for (const family of [4, 6] as const) {
    const [outside, own] = [ADDRESSES.outside[family], ADDRESSES.pod[family]];
    assert.equal(
      await firstLine({ netns: scene.pod, destination: { ip: outside, port: 80 } }),
      `ztunnel out ${outside} 80`,
    );
    assert.equal(
      await firstLine({ netns: scene.outside, destination: { ip: own, port: APP_PORT } }),
      `ztunnel in ${own} ${APP_PORT} from ${outside}`,
    );
  }
  await capture.unenrol(pod());
});

test("a restarted agent leaves exactly one set of programs, and removing the pins ends capture", async () => {
  await capture.enrol(pod());
  const pins = (): string[] => readdirSync(PIN_FOLDER, { recursive: true }).map(String).sort();
  const before = pins();
  for (let i = 0; i < 3; i++) {
    capture.close();
    capture = create();
    await capture.enrol(pod());
  }
  assert.deepEqual(pins(), before);
  const destination = { ip: ADDRESSES.pod[4], port: APP_PORT };
  assert.equal(await firstLine({ netns: scene.outside, destination }), "ECONNREFUSED");
  capture.close();
  removeEbpfCapture(PIN_FOLDER);
  await eventually(async () =>
    (await firstLine({ netns: scene.outside, destination })).startsWith("app sees"),
  );
  capture = create();
});

test("a pod whose namespace is gone can be un-enrolled, and its uid enrolled anew elsewhere", async () => {
  const other = "mlx-short-lived";
  execFileSync("sh", [
    "-c",
    `ip netns del ${other} 2>/dev/null; ip netns add ${other}; ip -n ${other} link set lo up`,
  ]);
  {
    using netns = openNetworkNamespace(`/var/run/netns/${other}`);
    await capture.enrol({ ...pod(), netns });
  }
  execFileSync("ip", ["netns", "del", other]);
  await capture.enrol(pod());
  assert.deepEqual(await capture.list(), [{ uid: pod().uid }]);
  await capture.unenrol({ uid: pod().uid });
  assert.deepEqual(await capture.list(), []);
});
