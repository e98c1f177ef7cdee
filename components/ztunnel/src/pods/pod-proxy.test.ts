import assert from "node:assert/strict";
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import { HBONE_SERVER_DEFAULTS } from "@meltemi/hbone";
import { ip } from "@meltemi/model";
import { createAdmission } from "@meltemi/proxy-process";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createFakeClock } from "@meltemi/testkit";
import { createPodSockets } from "../sockets/pod-sockets.ts";
import { createConnectionTable } from "./connection-table.ts";
import type { PodContext } from "./pod-context.ts";
import { startHboneProxy } from "./pod-proxy.ts";

test("a pod whose listener Node does not take over is not started, and nothing of it is left", () => {
  const clock = createFakeClock();
  const fd = openSync("/dev/null", "r");
  let disposed = 0;
  const given: Pick<PodContext, "options" | "sockets" | "admission" | "connections" | "clock" | "logger"> = {
    options: {
      pod: { name: "pod", namespace: "ns", serviceAccount: "default" },
      place: { node: "", clusterId: "" },
      network: "",
      ports: { outbound: 15001, inboundPlaintext: 15006, inboundHbone: 15008, socks5: 0 },
      listenIp: ip("127.0.0.1"),
      originalSource: "off",
      responseBaggage: false,
      localhostApplicationTunnel: false,
    },
    sockets: {
      ...createPodSockets({ portReuse: false }, { clock }),
      listenTcp: () => ({ fd, transparent: false }),
    },
    admission: {
      ...createAdmission({ process: 1, pod: 1 }).forPod(),
      [Symbol.dispose]: () => void disposed++,
    },
    connections: createConnectionTable({ clock }),
    clock,
    logger: createLogger(
      { filter: new LogFilter("off"), format: "plain", nowMs: () => 0, write: () => undefined },
      "t",
    ),
  };
  assert.throws(() => startHboneProxy({ ...HBONE_SERVER_DEFAULTS, maxConnections: 1 }, given as PodContext), {
    code: "KERNEL",
  });
  assert.throws(() => closeSync(fd), { code: "EBADF" });
  assert.equal(disposed, 1);
});
