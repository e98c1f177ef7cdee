/** The node proxy as a process: its configuration, its parts from the real world, its signals. */

import { lookup } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createCertificateManager } from "@meltemi/identity";
import type { NetworkNamespace } from "@meltemi/linux";
import {
  applyLogClauses,
  certificateFetcher,
  collectProcessMetrics,
  createLineWriter,
  createXdsMetrics,
  limitsFor,
  maxOpenFiles,
  parseLogClauses,
  readText,
  rootsOf,
  xdsClientParts,
} from "@meltemi/proxy-process";
import {
  createLogger,
  describeError,
  type Environment,
  LogFilter,
  type Logger,
  systemClock,
} from "@meltemi/runtime";
import { createRegistry, type Registry } from "@meltemi/telemetry";
import { createXdsClient } from "@meltemi/xds";
import { createZdsClient } from "@meltemi/zds";
import { readConfig, type ZtunnelConfig } from "./config.ts";
import { parseNameservers } from "./dns/resolv-conf.ts";
import { xdsNode } from "./mesh/xds-node.ts";
import { createPodSockets } from "./sockets/pod-sockets.ts";
import type { StaticConfig } from "./static-config.ts";
import { startZtunnel, type ZtunnelDeps } from "./ztunnel.ts";

/** Exit code: 0 after a drain, 1 when it fails, 2 on bad configuration. `onStarted` is called once its ports are open. */
export async function runProxyProcess(
  args: readonly string[],
  env: Environment,
  onStarted: () => void,
): Promise<number> {
  if (args.join(" ") !== "proxy ztunnel") {
    process.stderr.write(`unknown arguments ${JSON.stringify(args)}: expected proxy ztunnel\n`);
    return 2;
  }
  let config: ZtunnelConfig;
  try {
    config = readConfig(env);
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    return 2;
  }
  const filter = new LogFilter("info");
  applyLogClauses(filter, parseLogClauses(config.log.filter) ?? []);
  const sink = {
    filter,
    format: config.log.format,
    nowMs: () => systemClock.nowMs(),
    write: createLineWriter((text) => void process.stdout.write(text)),
  };
  const logger = createLogger(sink, "ztunnel");
  try {
    await run(config, env, logger, filter, onStarted);
    return 0;
  } catch (error) {
    logger.error("ztunnel failed", { error: describeError(error) });
    return 1;
  }
}

async function run(
  config: ZtunnelConfig,
  env: Environment,
  logger: Logger,
  filter: LogFilter,
  onStarted: () => void,
): Promise<void> {
  await warmThreadPool(env);
  const registry = createRegistry();
  collectProcessMetrics(registry);
  const ztunnel = await startZtunnel(config, await makeDeps(config, env, logger, filter, registry));
  const { adminPort, statsPort, readinessPort } = ztunnel.ports;
  logger.info("started", { mode: config.mode.kind, adminPort, statsPort, readinessPort });
  onStarted();
  // The second signal of a kind finds no handler, and ends the process at once.
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void ztunnel.shutdown());
  // Sockets and timers of this process do not all hold it; its end does.
  const alive = setInterval(() => undefined, 2 ** 30);
  await ztunnel.finished.finally(() => clearInterval(alive));
}

/**
 * The threads of libuv's pool stay in the network namespace in which they are born. All of them are started here, before
 * this thread enters a pod for the first time; else DNS would later be asked from inside some pod.
 */
async function warmThreadPool(env: Environment): Promise<void> {
  const threads = Number(env["UV_THREADPOOL_SIZE"] ?? 4);
  await Promise.all(Array.from({ length: 4 * threads }, () => readFile("/proc/self/stat")));
}

async function makeDeps(
  config: ZtunnelConfig,
  env: Environment,
  logger: Logger,
  filter: LogFilter,
  registry: Registry,
): Promise<ZtunnelDeps> {
  const { mode, sockets } = config;
  const caRoots = rootsOf(config.ca);
  const socketsOf = (namespace: NetworkNamespace | undefined) =>
    createPodSockets(
      {
        namespace,
        mark: mode.packetMark,
        keepAlive: sockets.keepAlive,
        userTimeoutMs: sockets.userTimeoutMs,
        portReuse: sockets.portReuse,
      },
      { clock: systemClock },
    );
  return {
    clock: systemClock,
    random: Math.random,
    logger,
    filter,
    registry,
    certificates: createCertificateManager(
      {},
      {
        clock: systemClock,
        random: Math.random,
        fetch: certificateFetcher(
          { ...config, clusterId: config.node.clusterId, impersonate: config.mode.kind === "shared" },
          { clock: systemClock },
        ),
        log: logger.scope("identity"),
      },
    ),
    caRoots: config.ca.address && caRoots ? () => readText(caRoots) : undefined,
    admission: limitsFor(maxOpenFiles()),
    nameservers: parseNameservers(readFileSync("/etc/resolv.conf", "utf8")),
    lookup: (hostname) => lookup(hostname, { all: true }),
    sockets: socketsOf,
    staticConfig: await readStaticConfig(config),
    controlPlane: controlPlaneOf(config, env, logger, registry),
    nodeAgent:
      mode.kind === "shared"
        ? (handler) =>
            createZdsClient(
              { path: mode.nodeAgentSocket },
              { clock: systemClock, random: Math.random, log: logger.scope("inpod"), handler },
            )
        : undefined,
    adminHost: sockets.ipv6Enabled ? "::" : "0.0.0.0",
    self: mode.kind === "shared" ? ownPod(config) : undefined,
    dedicated: mode.kind === "dedicated" ? { workload: mode.workload } : undefined,
  };
}

/** Undefined when the pod does not know its own name; its metrics are then not served over HBONE. */
function ownPod({ node }: ZtunnelConfig): ZtunnelDeps["self"] {
  const { podName, podNamespace, serviceAccount } = node;
  if (podName === "" || podNamespace === "" || serviceAccount === "") return undefined;
  return { name: podName, namespace: podNamespace, serviceAccount };
}

function controlPlaneOf(
  config: ZtunnelConfig,
  env: Environment,
  logger: Logger,
  registry: Registry,
): ZtunnelDeps["controlPlane"] {
  const { address } = config.xds;
  // Local configuration stands for the control plane, unless one is named too.
  if (address === undefined || (config.localXds !== undefined && env["XDS_ADDRESS"] === undefined))
    return undefined;
  const settings = { ...config, clusterId: config.node.clusterId, node: xdsNode(config) };
  const { options, sources } = xdsClientParts(settings, address);
  return (onUpdate) =>
    createXdsClient(options, {
      ...sources,
      clock: systemClock,
      logger: logger.scope("xds"),
      random: Math.random,
      onUpdate,
      metrics: createXdsMetrics(registry),
    });
}

async function readStaticConfig({ localXds }: ZtunnelConfig): Promise<StaticConfig | undefined> {
  if (localXds === undefined) return undefined;
  // Most proxies have none, and do without a YAML parser.
  const { parseStaticConfig } = await import("./static-config.ts");
  return localXds.kind === "inline"
    ? parseStaticConfig(localXds.yaml, "LOCAL_XDS")
    : parseStaticConfig(readFileSync(localXds.path, "utf8"), localXds.path);
}
