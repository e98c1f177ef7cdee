/** `install-cni`: the node agent as a process. Ends with 0 when told to stop, with 1 when it fails, with 2 on bad configuration. */

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createKubernetesClient, loadInCluster } from "@meltemi/kubernetes";
import { currentNetworkNamespace, openNetworkNamespace } from "@meltemi/linux";
import { createLogger, describeError, LogFilter, type Logger, systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { runAgent } from "./agent.ts";
import { openCapture, openKind } from "./capture/open-capture.ts";
import { type CniConfig, readConfig } from "./config.ts";

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  if (args.join(" ") !== "install-cni") {
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
  const log = createLogger(
    {
      filter: new LogFilter(config.log.level),
      format: config.log.format,
      nowMs: () => systemClock.nowMs(),
      write: (line) => void process.stdout.write(line),
    },
    "cni",
  );
  try {
    await run(config, log);
    return 0;
  } catch (error) {
    log.error("agent failed", { error: describeError(error) });
    return 1;
  }
}

async function run(config: CniConfig, log: Logger): Promise<void> {
  await warmThreadPool();
  const stopping = new AbortController();
  // The second signal of a kind finds no handler, and ends the process at once.
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stopping.abort());
  using nodeNetns = currentNetworkNamespace();
  // On a machine that is several nodes, runtimes live outside all of them.
  const machine = join(config.hostProc, "1/ns/net");
  using machineNetns = existsSync(machine) ? openNetworkNamespace(machine) : currentNetworkNamespace();
  const captureDeps = { log: log.scope("capture"), clock: systemClock };
  const capture = openCapture(config.capture, nodeNetns, captureDeps);
  using _ = capture.backend;
  const access = await loadInCluster({
    env: process.env,
    clock: systemClock,
    readFile: (path) => readFile(path, "utf8"),
  });
  const client = createKubernetesClient(access, { clock: systemClock });
  try {
    await runAgent(
      config,
      {
        client,
        capture,
        openCapture: (kind) => openKind(kind, config.capture, nodeNetns, captureDeps),
        nodeNamespaces: [nodeNetns, machineNetns],
        payload: {
          sources: [
            new URL("./plugin/main.ts", import.meta.url),
            new URL("./plugin/ask-agent.ts", import.meta.url),
            new URL("./plugin/cni-call.ts", import.meta.url),
          ].map((url) => fileURLToPath(url)),
          node: process.execPath,
          hostRoot: join(config.hostProc, "1/root"),
        },
        registry: createRegistry(),
        clock: systemClock,
        random: Math.random,
        log,
      },
      stopping.signal,
    );
  } finally {
    client.close();
  }
}

/**
 * The threads of libuv's pool stay in the network namespace in which they are born. All of them are started here, before
 * this thread enters a pod for the first time; else DNS would later be asked from inside some pod.
 */
async function warmThreadPool(): Promise<void> {
  const threads = Number(process.env["UV_THREADPOOL_SIZE"] ?? 4);
  await Promise.all(Array.from({ length: 4 * threads }, () => readFile("/proc/self/stat")));
}

// Sockets and timers of this process do not all hold it; its end does.
const alive = setInterval(() => undefined, 2 ** 30);
const exitCode = await main();
clearInterval(alive);
// Node would wait for a half-made connection to an API server that is not there.
process.exit(exitCode);
