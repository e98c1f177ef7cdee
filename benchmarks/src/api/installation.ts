/** From nothing to a mesh, and to a waypoint in it: what a user waits for after a command. */

import {
  DAEMON_SETS,
  type DaemonSet,
  DEPLOYMENTS,
  type Deployment,
  GATEWAYS,
  type KubernetesClient,
  NAMESPACES,
} from "@meltemi/kubernetes";
import { eventually } from "@meltemi/testkit";
import type { Run } from "../figure.ts";
import { type BenchCluster, NODES } from "./cluster.ts";
import { bareShape, HOME, namespace } from "./objects.ts";

const READY_DEADLINE_MS = 120_000;
const LOOK_EVERY_MS = 20;
/** istio-cni-node and ztunnel. */
const NODE_PARTS = 2;

export interface Installation {
  readonly mesh: Run;
  readonly waypoint: Run;
  readonly correct: boolean;
}

/** Measures on a cluster without a mesh, and leaves it with mesh and waypoint. `oursFirst`: the order changes from round to round. */
export async function installOnce(cluster: BenchCluster, oursFirst: boolean): Promise<Installation> {
  const { client } = cluster;
  const install = () => timed(() => cluster.istioctl("install", "-y", "--set", "profile=ambient"));
  const before = oursFirst ? await install() : undefined;
  const bare = await bareShapeMs(client);
  const meshMs = before ?? (await install());
  const installed = await isInstalled(client);
  await client.create(NAMESPACES, namespace(HOME, true));
  const waypointMs = await timed(() => cluster.istioctl("waypoint", "apply", "-n", HOME, "--wait"));
  return {
    mesh: { ours: meshMs, peer: bare.allMs },
    waypoint: { ours: waypointMs, peer: bare.deploymentMs },
    correct: installed && (await isWaypointReady(client)),
  };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

/** What the cluster itself needs for as many workloads, and for a single Deployment. */
async function bareShapeMs(
  client: KubernetesClient,
): Promise<{ readonly allMs: number; readonly deploymentMs: number }> {
  const name = "bare";
  await client.create(NAMESPACES, namespace(name, false));
  const { deployment, daemonSets } = bareShape(name);
  const allMs = await timed(async () => {
    await client.create(DEPLOYMENTS, deployment);
    for (const daemonSet of daemonSets) await client.create(DAEMON_SETS, daemonSet);
    await untilReady(client, name, { deployments: 1, daemonSets: daemonSets.length });
  });
  const one = { ...deployment, metadata: { ...deployment.metadata, name: "one" } };
  const deploymentMs = await timed(async () => {
    await client.create(DEPLOYMENTS, one);
    await untilReady(client, name, { deployments: 2, daemonSets: daemonSets.length });
  });
  await client.delete(NAMESPACES, { name });
  await eventually(async () => (await client.get(NAMESPACES, { name })) === undefined, {
    deadlineMs: READY_DEADLINE_MS,
    everyMs: LOOK_EVERY_MS,
  });
  return { allMs, deploymentMs };
}

interface Wanted {
  readonly deployments: number;
  readonly daemonSets: number;
}

async function untilReady(client: KubernetesClient, inNamespace: string, wanted: Wanted): Promise<void> {
  await eventually(() => areReady(client, inNamespace, wanted), {
    deadlineMs: READY_DEADLINE_MS,
    everyMs: LOOK_EVERY_MS,
  });
}

async function areReady(
  client: KubernetesClient,
  inNamespace: string,
  { deployments, daemonSets }: Wanted,
): Promise<boolean> {
  const { items: deployed } = await client.list(DEPLOYMENTS, { namespace: inNamespace });
  const { items: onNodes } = await client.list(DAEMON_SETS, { namespace: inNamespace });
  return (
    deployed.filter(isDeploymentReady).length === deployments &&
    onNodes.filter(isDaemonSetReady).length === daemonSets
  );
}

const isDeploymentReady = ({ spec, status }: Deployment): boolean =>
  status?.readyReplicas === (spec?.replicas ?? 1);

const isDaemonSetReady = ({ status }: DaemonSet): boolean => status?.numberReady === NODES.length;

/** The command said that all is ready: so it has to be, at once. */
async function isInstalled(client: KubernetesClient): Promise<boolean> {
  return await areReady(client, "istio-system", { deployments: 1, daemonSets: NODE_PARTS });
}

async function isWaypointReady(client: KubernetesClient): Promise<boolean> {
  const gateway = await client.get(GATEWAYS, { namespace: HOME, name: "waypoint" });
  const programmed = gateway?.status?.conditions?.find(({ type }) => type === "Programmed");
  return programmed?.status === "True" && (await areReady(client, HOME, { deployments: 1, daemonSets: 0 }));
}
