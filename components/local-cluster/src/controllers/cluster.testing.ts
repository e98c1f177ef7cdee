/** A real API server in this process with the controllers on it, and a kubelet's answers for pods: for the tests here. */

import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type ClusterAccess,
  createInformer,
  createKubernetesClient,
  type KubernetesClient,
  NODES,
  nameOf,
  PODS,
  type Pod,
  refOf,
  staticToken,
} from "@meltemi/kubernetes";
import { createLogger, LogFilter, type Logger, systemClock } from "@meltemi/runtime";
import {
  createClusterAuthority,
  createServiceAccountKey,
  issueCertificate,
} from "../api-server/credentials.ts";
import { type ApiServerOptions, createApiServer } from "../api-server/server.ts";
import { type RunningScheduler, startScheduler } from "./scheduler.ts";
import { type RunningControllers, startControllers } from "./start.ts";

export interface TestCluster {
  readonly access: ClusterAccess;
  readonly client: KubernetesClient;
  readonly controllers: RunningControllers;
  readonly scheduler: RunningScheduler;
  /** PEM that every namespace must publish. */
  readonly certificateAuthority: string;
  /** Pods whose name begins with one of these never become ready. */
  readonly broken: Set<string>;
  /** Ends the API server with all its connections, and starts it again on the same state and port. */
  restartServer(): Promise<void>;
  stop(): Promise<void>;
}

/** Silent; set the level to `debug` to follow a failing test. */
function testLog(): Logger {
  const write = (line: string): void => void process.stderr.write(line);
  return createLogger({ filter: new LogFilter("off"), format: "plain", nowMs: Date.now, write }, "test");
}

export async function startTestCluster(nodes: readonly string[]): Promise<TestCluster> {
  const authority = createClusterAuthority("test", Date.now());
  const certificate = issueCertificate(
    authority,
    "test",
    { commonName: "kube-apiserver", subjectAlternativeNames: ["127.0.0.1"], use: "server" },
    Date.now(),
  );
  const adminToken = "test-administrator";
  const statePath = join(tmpdir(), `controllers-${randomUUID()}.sqlite`);
  const options: ApiServerOptions = {
    statePath,
    tls: { keyPem: certificate.keyPem, certPem: certificate.certPem, caPem: authority.certPem },
    listeners: [{ kind: "address", host: "127.0.0.1", port: 0 }],
    serviceAccountIssuer: "https://kubernetes.default.svc",
    serviceAccountKeyPem: createServiceAccountKey(),
    adminToken,
    clusterName: "test",
  };
  const serverDeps = { clock: systemClock, logger: testLog(), podLogs: async function* () {} };
  let server = await createApiServer(options, serverDeps);
  const port = server.addresses[0]?.port ?? 0;
  const access = {
    server: new URL(`https://127.0.0.1:${port}`),
    certificateAuthority: authority.certPem,
    token: staticToken(adminToken),
    defaultNamespace: "default",
  };
  const client = createKubernetesClient(access, { clock: systemClock });
  const deps = { clock: systemClock, random: Math.random, log: testLog() };
  for (const name of nodes) await client.create(NODES, newNode(name));
  const broken = new Set<string>();
  const kubelet = answerAsKubelet(client, broken);
  const controllers = startControllers(client, { certificateAuthority: authority.certPem }, deps);
  const scheduler = startScheduler(client, {}, deps);
  await controllers.ready;
  return {
    access,
    client,
    controllers,
    scheduler,
    certificateAuthority: authority.certPem,
    broken,
    async restartServer() {
      await server.close();
      server = await createApiServer(
        { ...options, listeners: [{ kind: "address", host: "127.0.0.1", port }] },
        serverDeps,
      );
    },
    async stop() {
      await Promise.all([controllers.stop(), scheduler.stop()]);
      kubelet.stop();
      client.close();
      await server.close();
      for (const suffix of ["", "-wal", "-shm"]) rmSync(`${statePath}${suffix}`, { force: true });
    },
  };
}

function newNode(name: string) {
  return {
    metadata: {
      name,
      labels: { "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": `zone-of-${name}` },
    },
    status: { conditions: [{ type: "Ready", status: "True" }], allocatable: { pods: "50" } },
  };
}

/** Runs every bound pod at once, and lets every terminating one go at once. */
function answerAsKubelet(client: KubernetesClient, broken: ReadonlySet<string>) {
  const deps = { clock: systemClock, random: Math.random, log: testLog() };
  const pods = createInformer(client, PODS, {}, deps);
  let address = 1;
  const react = async (pod: Pod): Promise<void> => {
    if (!pod.spec?.nodeName) return;
    if (pod.metadata?.deletionTimestamp !== undefined) {
      await client.delete(PODS, refOf(pod), { gracePeriodSeconds: 0 });
    } else if (pod.status?.podIP === undefined) {
      const isBroken = [...broken].some((prefix) => nameOf(pod).startsWith(prefix));
      const ip = `10.244.0.${address++}`;
      const ready = {
        type: "Ready",
        status: isBroken ? "False" : "True",
        lastTransitionTime: new Date().toISOString(),
      };
      const status = { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions: [ready] };
      await client.patch(PODS, refOf(pod), { kind: "merge", body: { status } }, { subresource: "status" });
    }
  };
  const ignoreGone = (): void => {};
  pods.onChange({
    add: (pod) => void react(pod).catch(ignoreGone),
    update: (_, pod) => void react(pod).catch(ignoreGone),
  });
  return pods;
}
