/** What eBPF capture promises beyond the contract that both kinds keep. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { on, once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  CAPTURE_PORTS,
  type CaptureBackend,
  type CapturedPod,
  createEbpfCapture,
  createNftablesCapture,
  probeFeatures,
  removeEbpfCapture,
  ZTUNNEL_MARK,
} from "@meltemi/ebpf";
import { closeFd, createTcpListener, createUdpSocket, errnoName, openNetworkNamespace } from "@meltemi/linux";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { eventually } from "@meltemi/testkit";
import {
  ADDRESSES,
  APP_PORT,
  converse,
  createScene,
  firstLine,
  nft,
  type Scene,
  startApp,
  startUdpServer,
  startZtunnel,
} from "./capture-scene.ts";

import { firstLineOfOdd } from "./capture-sockets.fixture.ts";

const PIN_FOLDER = "/sys/fs/bpf/mlx-capture-ebpf-test";
const PROGRAMS = join(import.meta.dirname, "../../libraries/ebpf/bpf");
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
const made = new AsyncDisposableStack();
const create = (): CaptureBackend =>
  createEbpfCapture({ pinFolder: PIN_FOLDER, nodeNetns: scene.node }, { log, clock: systemClock });
const pod = (): CapturedPod => ({
  uid: "22222222-3333-4444-5555-666666666666",
  netns: scene.pod,
  addresses: [ADDRESSES.pod[4], ADDRESSES.pod[6]],
  captureDns: true,
  captureInbound: true,
});

before(async () => {
  removeEbpfCapture(PIN_FOLDER);
  scene = made.use(createScene());
  made.defer(() => removeEbpfCapture(PIN_FOLDER));
  capture = create();
  made.defer(() => capture.close());
  made.use(await startApp(scene.pod, "app", APP_PORT));
});
after(() => made.disposeAsync());

test("this kernel has every feature, and the probe says so", () => {
  const report = probeFeatures();
  assert.deepEqual(
    report.features.filter((feature) => !feature.present),
    [],
  );
  assert.equal(report.summary, "eBPF capture is possible");
});

test("a program that the kernel refuses is named by the probe, with the verifier's complaint", () => {
  const folder = mkdtempSync(join(tmpdir(), "broken-objects-"));
  try {
    cpSync(PROGRAMS, folder, { recursive: true });
    // A call of bpf_sk_assign becomes one of a helper that no kernel has.
    const broken = readFileSync(join(folder, "inbound.bpf.o"));
    const call = broken.indexOf(Buffer.from([0x85, 0, 0, 0, 124, 0, 0, 0]));
    assert.notEqual(call, -1);
    broken.writeUInt32LE(0x7fff_0000, call + 4);
    writeFileSync(join(folder, "inbound.bpf.o"), broken);
    writeFileSync(join(folder, "listeners.bpf.o"), "no object at all");
    const report = probeFeatures(folder);
    assert.equal(report.ebpf, false);
    assert.match(
      report.summary,
      /lacks acceptance of the inbound program.* \(Linux 5\.17, .*: invalid func unknown#2147418112\)$/,
    );
    assert.equal(report.features.filter((feature) => !feature.present).length, 2);
  } finally {
    rmSync(folder, { recursive: true });
  }
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

test("a socket bound to a device is refused at once, neither let past nor overruled", async () => {
  await capture.enrol(pod());
  await using _ztunnel = await startZtunnel(scene.pod);
  await using _outside = await startApp(scene.outside, "outside", 9090);
  for (const family of [4, 6] as const)
    await assert.rejects(
      firstLineOfOdd("device", scene.pod, { ip: ADDRESSES.outside[family], port: 9090 }),
      (error) => errnoName(error) === "EPERM",
    );
  await capture.unenrol(pod());
});

test("a DNS answer keeps its sender's name though the socket sent elsewhere meanwhile", async () => {
  await capture.enrol(pod());
  await using _ztunnel = await startZtunnel(scene.pod);
  await using _server = await startUdpServer(scene.outside, "outside", {
    ip: ADDRESSES.outside[4],
    port: 5353,
  });
  const socket = createSocket("udp4");
  try {
    const local = createUdpSocket({ netns: scene.pod, address: { ip: "0.0.0.0", port: 0 } });
    socket.bind({ fd: local.fd });
    socket.send("who", 53, ADDRESSES.outside[4]);
    socket.send("who", 5353, ADDRESSES.outside[4]);
    const answers = new Set<string>();
    for await (const [text, from] of on(socket, "message", { signal: AbortSignal.timeout(5_000) })) {
      answers.add(`${text} from ${from.address} ${from.port}`);
      if (answers.size === 2) break;
    }
    const ip = ADDRESSES.outside[4];
    assert.deepEqual([...answers].sort(), [`outside who from ${ip} 5353`, `ztunnel dns who from ${ip} 53`]);
  } finally {
    socket.close();
  }
  await capture.unenrol(pod());
});

test("an app that listens beside ztunnel, with its uid and more exactly, gets nothing that comes in", async () => {
  await capture.enrol(pod());
  await using _ztunnel = await startZtunnel(scene.pod);
  for (const family of [4, 6] as const) {
    const ip = ADDRESSES.pod[family];
    const address = { ip, port: CAPTURE_PORTS.inboundPlaintext };
    const { fd } = createTcpListener({ netns: scene.pod, address, reusePort: true, backlog: 16 });
    try {
      for (const port of [APP_PORT, address.port])
        assert.match(await firstLine({ netns: scene.outside, destination: { ip, port } }), /^ztunnel in /);
    } finally {
      closeFd(fd);
    }
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
