/** The process under measurement: the control plane over a synthetic cluster. Arguments: pods, subscribers. */

import { hash } from "node:crypto";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { createRegistry, type Registry } from "@meltemi/telemetry";
import { DEFAULT_TRAFFIC } from "../../../components/control-plane/src/compile/l7/traffic-settings.ts";
import { createControlPlane } from "../../../components/control-plane/src/control-plane.ts";
import { DEFAULT_DEBOUNCE } from "../../../components/control-plane/src/distribute/decide-push.ts";
import type { FromServer, ToServer } from "./messages.ts";
import { createSyntheticCluster } from "./synthetic-cluster.ts";

const [podCount = 0, subscriberCount = 0] = process.argv.slice(2).map(Number);
const say = (message: FromServer): void => {
  process.send?.(message);
};

let acknowledged = 0;
let onAcknowledged: () => void = () => undefined;

/** Counts acknowledgements of changes where the control plane itself observes them. */
function countingRegistry(): Registry {
  const registry = createRegistry();
  return {
    ...registry,
    histogram(options) {
      const family = registry.histogram(options);
      if (options.name !== "pilot_proxy_convergence_time") return family;
      return {
        ...family,
        labels: () => ({
          observe() {
            acknowledged++;
            onAcknowledged();
          },
        }),
      };
    },
  };
}

const cluster = createSyntheticCluster(podCount);
const logger = createLogger(
  {
    filter: new LogFilter("warn"),
    format: "plain",
    nowMs: () => Date.now(),
    write: (line) => process.stderr.write(line),
  },
  "bench",
);
const plane = createControlPlane(
  {
    compile: {
      clusterId: "Kubernetes",
      trustDomain: "cluster.local",
      rootNamespace: "istio-system",
      clusterDomain: "cluster.local",
      dryRunPolicies: false,
      traffic: DEFAULT_TRAFFIC,
    },
    debounce: DEFAULT_DEBOUNCE,
    requireToken: false,
    blockedKeyAddresses: [],
  },
  {
    client: cluster.client,
    clock: systemClock,
    random: Math.random,
    logger,
    registry: countingRegistry(),
    authenticator: { authenticate: () => Promise.resolve({ kind: "refused", reason: "not asked for" }) },
  },
);

async function change(count: number): Promise<void> {
  acknowledged = 0;
  const encodingsBefore = plane.resources.encodings;
  const cpuBefore = process.cpuUsage();
  const startedMs = performance.now();
  const all = new Promise<void>((resolve) => {
    onAcknowledged = () => {
      if (acknowledged === subscriberCount) resolve();
    };
  });
  cluster.change(count);
  await all;
  const lastAckMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(cpuBefore);
  const encodings = plane.resources.encodings - encodingsBefore;
  say({ kind: "changed", lastAckMs, cpuMs: (user + system) / 1000, encodings });
}

process.on("message", (message: ToServer) => {
  if (message.kind === "change") void change(message.count);
  else {
    const lines = [...plane.resources.addresses.resources()].map(({ name, version }) => `${name}=${version}`);
    const digest = hash("sha256", lines.sort().join("\n"), "hex");
    say({ kind: "state", rssBytes: process.memoryUsage.rss(), digest });
  }
});

await plane.ready;
const ports = await plane.listen({ plain: "127.0.0.1:0" }, []);
say({ kind: "started", port: ports.plain ?? 0 });
