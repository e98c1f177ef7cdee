/** A call to ztunnel's own listener by an address that only the pod itself knows must not make ztunnel call itself without end. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { createMesh } from "./ztunnel-mesh.fixture.ts";

/** Of no pod and no service. */
const OWN_ADDRESS = "10.99.99.9";
const OUTBOUND_PORT = 15001;

for (const capture of ["ebpf", "nftables"] as const)
  test(`${capture}: the outbound listener, called by an address the app gave itself, refuses`, {
    timeout: 60_000,
  }, async () => {
    await using mesh = await createMesh({ name: `mlx-r-${capture.slice(0, 3)}`, capture });
    const node = await mesh.node("a");
    const pod = await node.pod("client");
    execFileSync("ip", ["-n", pod.place.netns, "addr", "add", `${OWN_ADDRESS}/32`, "dev", "lo"]);
    const watch = node.proxy.watch();
    assert.doesNotMatch(await pod.call(OWN_ADDRESS, OUTBOUND_PORT), /hello/);
    await watch.line({ direction: "outbound", error: "attempted recursive call to ourselves" });
    // The captured call is one connection; what ztunnel opened for it is refused and never becomes another.
    assert.ok(watch.count("istio_tcp_connections_opened_total") <= 1);
  });
