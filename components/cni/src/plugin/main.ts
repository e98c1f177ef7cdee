/**
 * The CNI plugin `istio-cni` (CNI specification 1.0.0): the container runtime starts it once per pod sandbox, it asks the node's agent, and
 * passes the previous plugin's result on. This file is copied to the node by itself: it imports nothing but Node, and starts fast.
 * When the agent refuses or is silent the sandbox fails and kubelet makes it anew: a pod of the mesh never starts uncaptured.
 */

import { readFileSync, writeSync } from "node:fs";
import { request } from "node:http";

/** The chained part of a network configuration, as the installer writes it and the runtime completes it. */
interface NetworkConfig {
  readonly cniVersion: string;
  readonly runFolder: string;
  readonly excludeNamespaces: readonly string[];
  readonly prevResult: Record<string, unknown> | undefined;
}

/** Istio's own limits (reference: protocol §6.6). */
const AGENT_TIMEOUT_MS = 5_000;
const MAX_ANSWER_BYTES = 64 * 1024;
const SUPPORTED_VERSIONS = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];
/** Error codes of the specification. */
const CODE = { badEnvironment: 4, badConfig: 7, tryAgainLater: 11 } as const;

class PluginError extends Error {
  readonly code: number;
  readonly details: string;

  constructor(code: number, message: string, details = "") {
    super(message);
    this.code = code;
    this.details = details;
  }
}

function parseConfig(text: string): NetworkConfig {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new PluginError(CODE.badConfig, "read network configuration: expected JSON", String(error));
  }
  if (typeof document !== "object" || document === null)
    throw new PluginError(CODE.badConfig, "read network configuration: expected an object");
  const fields = document as Record<string, unknown>;
  const { cniVersion, cni_agent_run_dir: runFolder, exclude_namespaces: excluded, prevResult } = fields;
  return {
    cniVersion: typeof cniVersion === "string" ? cniVersion : "0.3.1",
    runFolder: typeof runFolder === "string" ? runFolder : "/var/run/istio-cni",
    excludeNamespaces: Array.isArray(excluded) ? excluded.map(String) : [],
    prevResult:
      typeof prevResult === "object" && prevResult !== null
        ? (prevResult as Record<string, unknown>)
        : undefined,
  };
}

/** `CNI_ARGS`: `K8S_POD_NAME=a;K8S_POD_NAMESPACE=b`. */
function parseArguments(text: string): ReadonlyMap<string, string> {
  const pairs = text.split(";").map((pair) => pair.split("="));
  return new Map(pairs.map(([name = "", ...value]) => [name, value.join("=")]));
}

/** The previous result's addresses in the shape Istio's plugin sends them. */
function eventAddresses(result: Record<string, unknown>): readonly object[] {
  const ips = Array.isArray(result["ips"]) ? (result["ips"] as Record<string, unknown>[]) : [];
  return ips.flatMap((entry) => {
    const [ip, prefix] = String(entry["address"] ?? "").split("/");
    if (ip === undefined || ip === "") return [];
    const Address = { IP: ip, Mask: prefix ?? "" };
    return [{ Interface: entry["interface"] ?? null, Address, Gateway: entry["gateway"] ?? "" }];
  });
}

function askAgent(config: NetworkConfig, body: object): Promise<void> {
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const fail = (details: string): void =>
      reject(
        new PluginError(CODE.tryAgainLater, "add pod to the mesh: the node agent did not accept it", details),
      );
    const call = request(
      {
        socketPath: `${config.runFolder}/pluginevent.sock`,
        path: "/cmdadd",
        method: "POST",
        headers: {
          host: "pluginevent",
          "content-type": "application/json",
          "content-length": Buffer.byteLength(text),
        },
        timeout: AGENT_TIMEOUT_MS,
      },
      (answer) => {
        let received = "";
        answer.setEncoding("utf8");
        answer.on("data", (chunk: string) => {
          if (received.length < MAX_ANSWER_BYTES) received += chunk;
        });
        answer.on("end", () =>
          answer.statusCode === 200
            ? resolve()
            : fail(`${answer.statusCode}: ${received.slice(0, MAX_ANSWER_BYTES)}`),
        );
        answer.on("error", (error) => fail(error.message));
      },
    );
    // `timeout` is about silence; this is about the whole.
    const deadline = setTimeout(
      () => call.destroy(new Error(`no answer within ${AGENT_TIMEOUT_MS} ms`)),
      AGENT_TIMEOUT_MS,
    );
    call.on("close", () => clearTimeout(deadline));
    call.on("timeout", () => call.destroy(new Error(`no answer within ${AGENT_TIMEOUT_MS} ms`)));
    call.on("error", (error) => fail(error.message));
    call.end(text);
  });
}

async function add(config: NetworkConfig, env: NodeJS.ProcessEnv): Promise<unknown> {
  const { prevResult } = config;
  if (prevResult === undefined)
    throw new PluginError(
      CODE.badConfig,
      "add pod to the mesh: expected a prevResult, this plugin is to be chained",
    );
  const args = parseArguments(env["CNI_ARGS"] ?? "");
  const [PodName = "", PodNamespace = ""] = [args.get("K8S_POD_NAME"), args.get("K8S_POD_NAMESPACE")];
  // Not a pod of Kubernetes, or one whose namespace the mesh must never hold up.
  if (PodName !== "" && PodNamespace !== "" && !config.excludeNamespaces.includes(PodNamespace)) {
    const Netns = env["CNI_NETNS"] ?? "";
    if (Netns === "") throw new PluginError(CODE.badEnvironment, "add pod to the mesh: expected CNI_NETNS");
    await askAgent(config, { Netns, PodName, PodNamespace, IPs: eventAddresses(prevResult) });
  }
  return { ...prevResult, cniVersion: config.cniVersion };
}

async function run(env: NodeJS.ProcessEnv): Promise<unknown> {
  const command = env["CNI_COMMAND"];
  if (command === "VERSION") return { cniVersion: "1.0.0", supportedVersions: SUPPORTED_VERSIONS };
  const config = parseConfig(readFileSync(0, "utf8"));
  if (command === "ADD") return add(config, env);
  // The agent learns of a pod's end from Kubernetes, and there is nothing to undo in a namespace that goes away.
  if (command === "DEL" || command === "CHECK" || command === "GC" || command === "STATUS") return undefined;
  throw new PluginError(
    CODE.badEnvironment,
    `run command ${JSON.stringify(command)}: expected ADD, DEL, CHECK or VERSION`,
  );
}

try {
  const result = await run(process.env);
  if (result !== undefined) writeSync(1, `${JSON.stringify(result)}\n`);
} catch (error) {
  const known = error instanceof PluginError ? error : new PluginError(999, `run plugin: ${String(error)}`);
  const { code, message, details } = known;
  writeSync(1, `${JSON.stringify({ cniVersion: "1.0.0", code, msg: message, details })}\n`);
  process.exitCode = 1;
}
