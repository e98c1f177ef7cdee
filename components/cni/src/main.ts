/** `install-cni`: the node agent as a process. Ends with 0 when told to stop, with 1 when it fails, with 2 on bad configuration. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type CaptureBackend, probeFeatures, removeEbpfCapture } from "@meltemi/ebpf";
import { createKubernetesClient, type KubernetesClient, loadInCluster } from "@meltemi/kubernetes";
import { currentNetworkNamespace, openNetworkNamespace } from "@meltemi/linux";
import {
  systemClock as clock,
  createLogger,
  describeError,
  isLogLevel,
  LogFilter,
  type Logger,
} from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { createAgentMetrics } from "./admin/agent-metrics.ts";
import { startHealthServers } from "./admin/health.ts";
import { type Agent, startAgent } from "./agent.ts";
import { chooseBackend, createBackend } from "./capture/choose-backend.ts";
import { type CniConfig, readConfig } from "./config.ts";
import { createInstaller, type Installer } from "./install/install.ts";
import { isUninstalled } from "./uninstall.ts";

/** Of the 30 s that kubelet gives before it kills. */
const UNINSTALL_CHECK_MS = 5_000;

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  if (args.length > 1 || (args[0] ?? "install-cni") !== "install-cni") {
    process.stderr.write(`unknown arguments ${JSON.stringify(args)}: expected install-cni\n`);
    return 2;
  }
  let config: CniConfig;
  try {
    config = readConfig(process.env);
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    return 2;
  }
  const log = loggerOf(config);
  try {
    await run(config, log);
    return 0;
  } catch (error) {
    log.error("the node agent failed", { error: describeError(error) });
    return 1;
  }
}

async function run(config: CniConfig, log: Logger): Promise<void> {
  await warmThreadPool();
  const stop = stopSignal();
  const features = probeFeatures();
  const choice = chooseBackend(config.capture.backend, features);
  log.info("capture", { backend: choice.kind, kernel: features.summary });
  const { nodeNetns: nodePath } = config.capture;
  using nodeNetns = nodePath === undefined ? currentNetworkNamespace() : openNetworkNamespace(nodePath);
  using capture = createBackend(choice, config.capture, nodeNetns, log.scope("capture"));
  const registry = createRegistry();
  const metrics = createAgentMetrics(registry);
  let missing = "starting";
  const readiness = () => ({
    ready: missing === "",
    text: `${missing === "" ? "ready" : missing}; capture by ${capture.kind}; ${features.summary}`,
  });
  const health = await startHealthServers(config.ports, { readiness, registry });
  const client = createKubernetesClient(
    await loadInCluster({ env: process.env, clock, readFile: (path) => readFile(path, "utf8") }),
    { clock },
  );
  missing = "waiting for the API server";
  const deps = { client, capture, nodeNetns, clock, random: Math.random, log, metrics };
  const agent = await untilStopped(startAgent(config, deps), stop);
  missing = "installing the CNI plugin";
  const installer = installerOf(config, log);
  if (agent !== undefined) {
    if (config.install.chained) await untilStopped(installer.install(stop), stop);
    missing = "";
    metrics.installed(true);
    log.info("ready", { node: config.nodeName });
    if (config.install.chained && !stop.aborted)
      await installer.keep(stop, () =>
        log.warn("put the CNI plugin back: someone had changed the network list"),
      );
    else await untilStopped(new Promise<never>(() => undefined), stop);
    missing = "stopping";
    await leave(config, { client, capture, agent, installer }, log);
  }
  await health.close();
  client.close();
}

interface Running {
  readonly client: KubernetesClient;
  readonly capture: CaptureBackend;
  readonly agent: Agent;
  readonly installer: Installer;
}

async function leave(config: CniConfig, running: Running, log: Logger): Promise<void> {
  const { client, capture, agent, installer } = running;
  const own = { name: process.env["POD_NAME"] ?? "", namespace: process.env["POD_NAMESPACE"] ?? "" };
  const uninstalled = config.install.cleanupOnExit && (await isUninstalled(client, own, UNINSTALL_CHECK_MS));
  await agent.close();
  if (!uninstalled) {
    log.info("stopping for a while: the plugin and captured pods stay");
    return;
  }
  log.info("uninstalled: taking the plugin out and letting pods go");
  await installer.uninstall();
  await agent.releasePods();
  if (capture.kind === "ebpf") removeEbpfCapture(config.capture.pinFolder);
}

function installerOf(config: CniConfig, log: Logger): Installer {
  return createInstaller(
    {
      ...config.install,
      runFolder: config.runFolder,
      excludeNamespaces: config.enrolment.excludeNamespaces,
      pluginSource: fileURLToPath(new URL("./plugin/main.ts", import.meta.url)),
      nodeProgram: process.execPath,
      hostRoot: join(config.hostProc, "1/root"),
    },
    { clock, log },
  );
}

/** The threads of libuv's pool stay in the network namespace they are born in: that must be this process's own. */
async function warmThreadPool(): Promise<void> {
  const threads = Number(process.env["UV_THREADPOOL_SIZE"] ?? 4);
  await Promise.all(Array.from({ length: 4 * threads }, () => readFile("/proc/self/stat")));
}

/** Aborted by SIGTERM or SIGINT; the second one finds no handler and ends the process at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  const alive = setInterval(() => undefined, 2 ** 30);
  for (const name of ["SIGTERM", "SIGINT"] as const)
    process.once(name, () => {
      clearInterval(alive);
      stop.abort();
    });
  return stop.signal;
}

/** The work's result, or undefined when told to stop first. */
async function untilStopped<T>(work: Promise<T>, stop: AbortSignal): Promise<T | undefined> {
  const stopped = Promise.withResolvers<undefined>();
  const onStop = (): void => stopped.resolve(undefined);
  if (stop.aborted) onStop();
  stop.addEventListener("abort", onStop, { once: true });
  try {
    return await Promise.race([work, stopped.promise]);
  } catch (error) {
    if (stop.aborted) return undefined;
    throw error;
  } finally {
    stop.removeEventListener("abort", onStop);
  }
}

function loggerOf(config: CniConfig): Logger {
  const filter = new LogFilter(isLogLevel(config.log.level) ? config.log.level : "info");
  const write = (line: string): void => void process.stdout.write(line);
  return createLogger({ filter, format: config.log.format, nowMs: () => clock.nowMs(), write }, "cni-agent");
}

const code = await main();
// Node would wait for a half-made connection to an API server that is not there.
process.exit(code);
