/** At home in Kubernetes: how long it takes until what was asked of the API is so. */

import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { type KubernetesClient, PODS, SERVICES } from "@meltemi/kubernetes";
import { eventually } from "@meltemi/testkit";
import { type Figure, figureOf } from "../figure.ts";
import type { Suite, SuiteOptions } from "../suite.ts";
import { type BenchCluster, clusterUp, NODES } from "./cluster.ts";
import { controlPlaneStartFigures } from "./control-plane-start.ts";
import { policyFigures, routeFigures } from "./enforcement.ts";
import { enrolmentFigures, untilPodsAccepted } from "./enrolment.ts";
import { type Installation, installOnce } from "./installation.ts";
import type { Target } from "./messages.ts";
import { clientPod, HOME, SERVER_PORT, serverPod, webService } from "./objects.ts";
import { connectProber } from "./prober.ts";

const READY_DEADLINE_MS = 60_000;
const CHANGES_PER_PAIR = 10;
const ENROLMENTS_PER_PAIR = 4;
const MANY_PODS = 100;
const ONE_POD_EVERY_MS = 5;
/** 670 new connections a second in all: a fifth of what one core can answer. */
const MANY_PODS_EVERY_MS = 150;

export const apiSuite: Suite = {
  name: "api",
  about: "install to ready, label to enrolled, change to enforced, control-plane start with 10 000 pods",
  async *run(options): AsyncIterable<Figure> {
    sayLoad(options);
    yield* clusterFigures(options);
    yield* controlPlaneStartFigures(options);
    sayLoad(options);
  },
};

function sayLoad({ progress }: SuiteOptions): void {
  progress(
    `load of the machine: ${loadavg()
      .map((load) => load.toFixed(1))
      .join(", ")}`,
  );
}

/** A fresh cluster for every installation; the last one serves for the rest. */
async function* clusterFigures(options: SuiteOptions): AsyncGenerator<Figure> {
  const { pairs, progress } = options;
  const installations: Installation[] = [];
  for (let round = 1; round < pairs; round++) {
    progress(`installation on a fresh cluster, ${round} of ${pairs}`);
    await using cluster = await clusterUp();
    installations.push(await installOnce(cluster, round % 2 === 0));
  }
  progress(`installation on a fresh cluster, ${pairs} of ${pairs}`);
  await using cluster = await clusterUp();
  installations.push(await installOnce(cluster, pairs % 2 === 0));
  yield* installationFigures(installations);
  yield* changeFigures(cluster, options);
}

function* installationFigures(installations: readonly Installation[]): Generator<Figure> {
  const correct = installations.every((installation) => installation.correct);
  yield figureOf({
    name: "install to ready, profile ambient on two nodes",
    unit: "ms",
    peerName: "as many bare pods of the same kinds",
    runs: installations.map(({ mesh }) => mesh),
    correct,
  });
  yield figureOf({
    name: "waypoint apply --wait to ready",
    unit: "ms",
    peerName: "a bare Deployment",
    runs: installations.map(({ waypoint }) => waypoint),
    correct,
  });
}

async function* changeFigures(cluster: BenchCluster, options: SuiteOptions): AsyncGenerator<Figure> {
  const { client } = cluster;
  const { pairs, progress } = options;
  const folder = mkdtempSync(join(tmpdir(), "meltemi-api-"));
  using cleanup = new DisposableStack();
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }));
  await untilPodsAccepted(client, HOME);
  await client.create(PODS, clientPod(folder, NODES[0]));
  const server = await startServer(client);
  const service = await client.create(SERVICES, webService);
  const prober = cleanup.use(await connectProber(join(folder, "prober.sock")));
  const ztunnel = await ztunnelOn(client, NODES[0]);
  const changes = { client, prober, rounds: pairs * CHANGES_PER_PAIR, progress };
  yield* policyFigures(changes, server);
  yield* routeFigures(changes, { address: service.spec?.clusterIP ?? "", port: 80, host: `web.${HOME}` });
  const scene = { client, prober, ztunnel };
  const one = { pods: 1, rounds: pairs * ENROLMENTS_PER_PAIR, everyMs: ONE_POD_EVERY_MS, progress };
  yield* enrolmentFigures(scene, one);
  const many = { pods: MANY_PODS, rounds: pairs, everyMs: MANY_PODS_EVERY_MS, progress };
  yield* enrolmentFigures(scene, many);
}

async function startServer(client: KubernetesClient): Promise<Target> {
  await client.create(PODS, serverPod(HOME, "server", NODES[1]));
  const address = await eventually(
    async () => {
      const pod = await client.get(PODS, { namespace: HOME, name: "server" });
      const ready = pod?.status?.conditions?.find(({ type }) => type === "Ready");
      return ready?.status === "True" ? pod?.status?.podIP : undefined;
    },
    { deadlineMs: READY_DEADLINE_MS },
  );
  return { address, port: SERVER_PORT, host: "server" };
}

async function ztunnelOn(client: KubernetesClient, node: string): Promise<string> {
  const { items } = await client.list(PODS, {
    namespace: "istio-system",
    labelSelector: "app=ztunnel",
    fieldSelector: `spec.nodeName=${node}`,
  });
  const name = items[0]?.metadata?.name;
  if (name === undefined) throw new Error(`no ztunnel on ${node}`);
  return name;
}
