/** Connections between capture and the application while their pod is un-enrolled: whoever was captured is served. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type CaptureBackend,
  type CapturedPod,
  createEbpfCapture,
  createNftablesCapture,
  removeEbpfCapture,
  ZTUNNEL_MARK,
} from "@meltemi/ebpf";
import { closeFd, createTcpListener } from "@meltemi/linux";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createFakeClock } from "@meltemi/testkit";
import {
  ADDRESSES,
  APP_PORT,
  converse,
  createScene,
  FAMILIES,
  firstLine,
  type Scene,
  startApp,
  startZtunnel,
} from "./capture-scene.ts";

const PIN_FOLDER = "/sys/fs/bpf/mlx-capture-leaving-test";
const OUTSIDE_PORT = 9090;
/** Longer than the backend keeps what it knows of a pod that left. */
const LONG_MS = 60_000;
const log = createLogger(
  {
    filter: new LogFilter("warn"),
    format: "plain",
    nowMs: Date.now,
    write: (line) => process.stderr.write(line),
  },
  "capture",
);
const clock = createFakeClock();

const KINDS: Readonly<Record<CaptureBackend["kind"], (scene: Scene) => CaptureBackend>> = {
  ebpf: ({ node }) => createEbpfCapture({ pinFolder: PIN_FOLDER, nodeNetns: node }, { log, clock }),
  nftables: ({ node }) => createNftablesCapture({ nodeNetns: node }),
};

const podIn = ({ pod }: Scene): CapturedPod => ({
  uid: "44444444-5555-6666-7777-888888888888",
  netns: pod,
  addresses: [ADDRESSES.pod[4], ADDRESSES.pod[6]],
  captureDns: true,
  captureInbound: true,
});

/** As ztunnel connects to the application: under the client's address, which is not the pod's. */
async function lastHopWorks(scene: Scene, family: 4 | 6): Promise<void> {
  using lastHop = await converse({
    netns: scene.pod,
    source: { ip: ADDRESSES.outside[family], port: 0 },
    destination: { ip: ADDRESSES.pod[family], port: APP_PORT },
    transparent: true,
    mark: ZTUNNEL_MARK,
  });
  assert.equal(await lastHop.line(), `app sees ${ADDRESSES.outside[family]}`);
  assert.ok(await lastHop.echoes("there and back"));
}

const fromOutside = (scene: Scene, family: 4 | 6): Promise<string> =>
  firstLine({ netns: scene.outside, destination: { ip: ADDRESSES.pod[family], port: APP_PORT } });

async function withScene(
  create: (scene: Scene) => CaptureBackend,
  body: (scene: Scene, capture: CaptureBackend) => Promise<void>,
): Promise<void> {
  removeEbpfCapture(PIN_FOLDER);
  using scene = createScene();
  using capture = create(scene);
  await using _app = await startApp(scene.pod, "app", APP_PORT);
  await using _outside = await startApp(scene.outside, "outside", OUTSIDE_PORT);
  try {
    await body(scene, capture);
  } finally {
    removeEbpfCapture(PIN_FOLDER);
  }
}

for (const [kind, create] of Object.entries(KINDS)) {
  const check = (title: string, body: (scene: Scene, capture: CaptureBackend) => Promise<void>): void =>
    void test(`${kind}: ${title}`, () =>
      withScene(create, async (scene, capture) => {
        await capture.enrol(podIn(scene));
        await body(scene, capture);
      }));

  check("who waits for ztunnel meanwhile still comes where they wanted to go", async (scene, capture) => {
    const listener = { netns: scene.pod, backlog: 128, reusePort: true, mark: ZTUNNEL_MARK };
    const busy = createTcpListener({ ...listener, address: { ip: "::", port: 15001 } });
    const destination = { ip: ADDRESSES.outside[4], port: 80 };
    using waiting = await converse({ netns: scene.pod, destination });
    await capture.unenrol(podIn(scene));
    await using _ztunnel = await startZtunnel(scene.pod);
    // What waits there goes to the other one.
    closeFd(busy.fd);
    assert.equal(await waiting.line(), `ztunnel out ${destination.ip} ${destination.port}`);
  });

  check("a last hop that begins afterwards works, and nothing more is captured", async (scene, capture) => {
    await using _ztunnel = await startZtunnel(scene.pod);
    await capture.unenrol(podIn(scene));
    assert.deepEqual(await capture.list(), []);
    for (const family of FAMILIES) {
      await lastHopWorks(scene, family);
      const destination = { ip: ADDRESSES.outside[family], port: OUTSIDE_PORT };
      assert.equal(
        await firstLine({ netns: scene.pod, destination }),
        `outside sees ${ADDRESSES.pod[family]}`,
      );
      assert.equal(await fromOutside(scene, family), `app sees ${ADDRESSES.outside[family]}`);
    }
  });

  check("a last hop that begins while the agent restarts works, too", async (scene, capture) => {
    await capture.unenrol(podIn(scene));
    capture.close();
    await lastHopWorks(scene, 4);
    using next = create(scene);
    assert.deepEqual(await next.list(), []);
    await lastHopWorks(scene, 6);
  });

  check("a pod that comes back stays, however long ago it left", async (scene, capture) => {
    await capture.unenrol(podIn(scene));
    await using _ztunnel = await startZtunnel(scene.pod);
    await capture.enrol(podIn(scene));
    await clock.settle(LONG_MS);
    assert.deepEqual(await capture.list(), [{ uid: podIn(scene).uid }]);
    for (const family of FAMILIES) {
      assert.match(await fromOutside(scene, family), /^ztunnel in /);
      await lastHopWorks(scene, family);
    }
  });

  check("a pod that left long ago is enrolled like any other", async (scene, capture) => {
    await capture.unenrol(podIn(scene));
    await clock.settle(LONG_MS);
    await using _ztunnel = await startZtunnel(scene.pod);
    await capture.enrol(podIn(scene));
    assert.match(await fromOutside(scene, 4), /^ztunnel in /);
  });
}

test("ebpf: a pod that comes back is served by the ztunnel that came meanwhile, not by one that goes", () =>
  withScene(KINDS.ebpf, async (scene, capture) => {
    await using _older = await startZtunnel(scene.pod, "older");
    await capture.enrol(podIn(scene));
    await capture.unenrol(podIn(scene));
    await using _newer = await startZtunnel(scene.pod, "newer");
    await capture.enrol(podIn(scene));
    for (const family of FAMILIES) assert.match(await fromOutside(scene, family), /^newer in /);
  }));
