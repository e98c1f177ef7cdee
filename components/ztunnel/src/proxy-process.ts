/** The node proxy as a process: its configuration, and its parts from the real world. */

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { NetworkNamespace } from "@meltemi/linux";
import {
  createProxyCertificates,
  type ProcessParts,
  readText,
  rootsOf,
  runProxy,
  xdsClientParts,
} from "@meltemi/proxy-process";
import { type Environment, MeshError } from "@meltemi/runtime";
import { createXdsClient } from "@meltemi/xds";
import { createZdsClient } from "@meltemi/zds";
import { readConfig, type ZtunnelConfig } from "./config.ts";
import { parseNameservers } from "./dns/resolv-conf.ts";
import { xdsNode } from "./mesh/xds-node.ts";
import type { ZtunnelDeps } from "./parts.ts";
import { createPodSockets } from "./sockets/pod-sockets.ts";
import type { StaticConfig } from "./static-config.ts";
import { startZtunnel } from "./ztunnel.ts";

/** Exit code: 0 after a drain, 1 when it fails, 2 on bad configuration. `onStarted` is called once its admin ports are open. */
export function runProxyProcess(
  args: readonly string[],
  env: Environment,
  onStarted: () => void,
): Promise<number> {
  return runProxy(
    {
      component: "ztunnel",
      readConfig() {
        if (args.join(" ") === "proxy ztunnel") return readConfig(env);
        throw new MeshError(
          "INPUT_INVALID",
          `unknown arguments ${JSON.stringify(args)}: expected proxy ztunnel`,
        );
      },
      async start(config, parts) {
        await warmThreadPool(env);
        return await startZtunnel(config, await makeDeps(config, env, parts));
      },
      startedFields: ({ mode }) => ({ mode: mode.kind }),
    },
    onStarted,
  );
}

/**
 * The threads of libuv's pool stay in the network namespace in which they are born. All of them are started here, before
 * this thread enters a pod for the first time; else DNS would later be asked from inside some pod.
 */
async function warmThreadPool(env: Environment): Promise<void> {
  const threads = Number(env["UV_THREADPOOL_SIZE"] ?? 4);
  await Promise.all(Array.from({ length: 4 * threads }, () => readFile("/proc/self/stat")));
}

async function makeDeps(config: ZtunnelConfig, env: Environment, parts: ProcessParts): Promise<ZtunnelDeps> {
  const { clock, random, logger } = parts;
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
      { clock },
    );
  return {
    ...parts,
    certificates: createProxyCertificates(
      { ...config, clusterId: config.node.clusterId, impersonate: mode.kind === "shared" },
      parts,
    ),
    caRoots: config.ca.address && caRoots ? () => readText(caRoots) : undefined,
    nameservers: parseNameservers(readFileSync("/etc/resolv.conf", "utf8")),
    sockets: socketsOf,
    staticConfig: await readStaticConfig(config),
    controlPlane: controlPlaneOf(config, env, parts),
    nodeAgent:
      mode.kind === "shared"
        ? (handler) =>
            createZdsClient(
              { path: mode.nodeAgentSocket },
              { clock, random, log: logger.scope("inpod"), handler },
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
  parts: ProcessParts,
): ZtunnelDeps["controlPlane"] {
  const { address } = config.xds;
  // Local configuration stands for the control plane, unless one is named too.
  if (address === undefined || (config.localXds !== undefined && env["XDS_ADDRESS"] === undefined))
    return undefined;
  const settings = { ...config, clusterId: config.node.clusterId, node: xdsNode(config) };
  const { options, deps } = xdsClientParts(settings, address, parts);
  const { onDemand } = config.xds;
  return (onUpdate) => createXdsClient({ ...options, onDemand }, { ...deps, onUpdate });
}

async function readStaticConfig({ localXds }: ZtunnelConfig): Promise<StaticConfig | undefined> {
  if (localXds === undefined) return undefined;
  // Most proxies have none, and do without a YAML parser.
  const { parseStaticConfig } = await import("./static-config.ts");
  return localXds.kind === "inline"
    ? parseStaticConfig(localXds.yaml, "LOCAL_XDS")
    : parseStaticConfig(readFileSync(localXds.path, "utf8"), localXds.path);
}
