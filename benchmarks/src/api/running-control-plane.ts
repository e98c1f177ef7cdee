/** The control plane as a process, outside of a cluster, and a node proxy's view of it. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CONFIG_MAPS, type KubernetesClient } from "@meltemi/kubernetes";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { eventually } from "@meltemi/testkit";
import { createXdsClient, type XdsUpdate } from "@meltemi/xds";
import { stopProgram } from "../l4/place-process.ts";
import { addressNames, type LargeCluster } from "./large-cluster.ts";

const MAIN = fileURLToPath(new URL("../../../components/control-plane/src/main.ts", import.meta.url));
const DEADLINE_MS = 60_000;
const LOOK_EVERY_MS = 5;
/** Of `TERMINATION_DRAIN_DURATION`, and some time to give its leases back. */
const STOP_MS = 5_000;
const NAMESPACE = "istio-system";

export interface RunningControlPlane extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Connects as a ztunnel does; resolves once it holds all that the cluster has, with what is wrong about it. */
  subscribe(content: LargeCluster): Promise<readonly string[]>;
}

/** Resolves when it says that it is ready. */
export async function runControlPlane(
  kubeconfig: string,
  client: KubernetesClient,
): Promise<RunningControlPlane> {
  const [http, secure, monitoring, https] = await freePorts(4);
  const doors = { httpAddr: http, secureGRPCAddr: secure, monitoringAddr: monitoring, httpsAddr: https };
  const flags = Object.entries(doors).map(([flag, port]) => `--${flag}=127.0.0.1:${port}`);
  const child = spawn(process.execPath, [MAIN, "discovery", "--grpcAddr=", ...flags], {
    env: { ...process.env, KUBECONFIG: kubeconfig, TERMINATION_DRAIN_DURATION: "0s", RUST_LOG: "warn" },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const stop = (): Promise<void> => stopGracefully(child);
  try {
    await eventually(() => isReady(child, http ?? 0), { deadlineMs: DEADLINE_MS, everyMs: LOOK_EVERY_MS });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    child,
    subscribe: (content) => subscribe(client, secure ?? 0, content),
    [Symbol.asyncDispose]: stop,
  };
}

async function isReady(child: ChildProcess, port: number): Promise<boolean> {
  if (child.exitCode !== null) throw new Error(`the control plane ended with ${child.exitCode}`);
  const answer = await fetch(`http://127.0.0.1:${port}/ready`);
  await answer.arrayBuffer();
  return answer.status === 200;
}

async function subscribe(
  client: KubernetesClient,
  port: number,
  content: LargeCluster,
): Promise<readonly string[]> {
  const expected = addressNames(content);
  const ref = { namespace: NAMESPACE, name: "istio-ca-root-cert" };
  const roots = await eventually(async () => (await client.get(CONFIG_MAPS, ref))?.data?.["root-cert.pem"]);
  const account = { namespace: NAMESPACE, name: "ztunnel" };
  const { token } = await client.createToken(account, { audiences: ["istio-ca"] });
  const [addresses, policies] = [new Set<string>(), new Set<string>()];
  await using xds = createXdsClient(
    {
      address: `https://localhost:${port}`,
      alternateHostname: `istiod.${NAMESPACE}.svc`,
      clusterId: "Kubernetes",
      node: { id: `ztunnel~10.0.0.1~ztunnel-a.${NAMESPACE}~${NAMESPACE}.svc.cluster.local`, metadata: {} },
    },
    {
      clock: systemClock,
      random: Math.random,
      logger: createLogger(
        {
          filter: new LogFilter("warn"),
          format: "plain",
          nowMs: () => Date.now(),
          write: (line) => process.stderr.write(line),
        },
        "xds",
      ),
      rootCertificates: () => Promise.resolve(roots),
      token: () => Promise.resolve(token),
      onUpdate(update: XdsUpdate) {
        const held = update.kind === "address" ? addresses : policies;
        for (const { name } of update.upserts) held.add(name);
        for (const name of update.removedNames) held.delete(name);
        return [];
      },
    },
  );
  xds.start();
  const complete = (): boolean => addresses.size >= expected.size && policies.size >= content.policies.length;
  await eventually(complete, { deadlineMs: DEADLINE_MS, everyMs: LOOK_EVERY_MS });
  const strangers = [...addresses].filter((name) => !expected.has(name));
  return [
    ...strangers.map((name) => `a resource that the cluster does not have: ${name}`),
    ...(policies.size === content.policies.length ? [] : [`${policies.size} policies`]),
  ];
}

/** By SIGTERM, so that the next one need not wait until its leases end; by SIGKILL when it does not go. */
async function stopGracefully(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  await Promise.race([gone, delay(STOP_MS, undefined, { ref: false })]);
  await stopProgram(child);
}

/** Free now; taken by nobody else in the moment until they are used, on a machine with 28 000 of them. */
async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { readonly port: number }).port);
  for (const server of servers) server.close();
  return ports;
}
