/** Ways past capture that must stay shut: what a stranger may send, and what an app may do to its own namespace. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import {
  type CaptureBackend,
  type CapturedPod,
  createEbpfCapture,
  createNftablesCapture,
  removeEbpfCapture,
} from "@meltemi/ebpf";
import type { NetworkNamespace } from "@meltemi/linux";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { ADDRESSES, APP_PORT, createScene, firstLine, startApp } from "./capture-scene.ts";
import { sendStrayAck } from "./stray-packet.fixture.ts";

const PIN_FOLDER = "/sys/fs/bpf/mlx-capture-evasion-test";
const OUTSIDE_PORT = 9090;
const log = createLogger(
  {
    filter: new LogFilter("warn"),
    format: "plain",
    nowMs: Date.now,
    write: (line) => process.stderr.write(line),
  },
  "capture",
);
const podIn = (netns: NetworkNamespace): CapturedPod => ({
  uid: "33333333-4444-5555-6666-777777777777",
  netns,
  addresses: [ADDRESSES.pod[4], ADDRESSES.pod[6]],
  captureDns: true,
  captureInbound: true,
});

const KINDS: Readonly<Record<CaptureBackend["kind"], (nodeNetns: NetworkNamespace) => CaptureBackend>> = {
  ebpf: (nodeNetns) => createEbpfCapture({ pinFolder: PIN_FOLDER, nodeNetns }, { log, clock: systemClock }),
  nftables: (nodeNetns) => createNftablesCapture({ nodeNetns }),
};

for (const [kind, create] of Object.entries(KINDS)) {
  test(`${kind}: a packet of no connection opens no way past ztunnel for the connection that follows it`, async () => {
    removeEbpfCapture(PIN_FOLDER);
    using scene = createScene();
    using capture = create(scene.node);
    await using _app = await startApp(scene.pod, "app", APP_PORT);
    await capture.enrol(podIn(scene.pod));
    const source = { ip: ADDRESSES.outside[4], port: 40_001 };
    const destination = { ip: ADDRESSES.pod[4], port: APP_PORT };
    sendStrayAck(scene.outside, source, destination);
    // No ztunnel is there: whatever is captured is refused.
    assert.equal(await firstLine({ netns: scene.outside, source, destination }), "ECONNREFUSED");
    removeEbpfCapture(PIN_FOLDER);
  });

  test(`${kind}: an address that an app gives itself changes nothing for the node's connections to its owner`, async () => {
    removeEbpfCapture(PIN_FOLDER);
    using scene = createScene();
    using capture = create(scene.node);
    await using _outside = await startApp(scene.outside, "outside", OUTSIDE_PORT);
    execFileSync("ip", ["-n", "mlx-pod", "addr", "add", `${ADDRESSES.outside[4]}/32`, "dev", "lo"]);
    await capture.enrol(podIn(scene.pod));
    const destination = { ip: ADDRESSES.outside[4], port: OUTSIDE_PORT };
    assert.equal(await firstLine({ netns: scene.node, destination }), "outside sees 10.88.2.1");
    removeEbpfCapture(PIN_FOLDER);
  });

  test(`${kind}: the node still knows a pod by its address when an app, or an older pod, had the same`, async () => {
    removeEbpfCapture(PIN_FOLDER);
    using scene = createScene();
    using capture = create(scene.node);
    await using _app = await startApp(scene.outside, "second", OUTSIDE_PORT);
    const first = { ...podIn(scene.pod), addresses: [ADDRESSES.pod[4], ADDRESSES.outside[4]] };
    const second = { ...podIn(scene.outside), uid: "other", addresses: [ADDRESSES.outside[4]] };
    // Nothing serves the second pod: the node's probe reaches its app only past capture.
    const probe = { netns: scene.node, destination: { ip: ADDRESSES.outside[4], port: OUTSIDE_PORT } };
    await capture.enrol(first);
    await capture.enrol(second);
    await capture.unenrol(first);
    assert.match(await firstLine(probe), /^second sees /);
    execFileSync("ip", ["-n", "mlx-pod", "addr", "add", `${ADDRESSES.outside[4]}/32`, "dev", "lo"]);
    await capture.enrol(podIn(scene.pod));
    assert.match(await firstLine(probe), /^second sees /);
    removeEbpfCapture(PIN_FOLDER);
  });
}
