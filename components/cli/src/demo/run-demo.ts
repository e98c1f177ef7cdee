/** `npm run demo`: makes a cluster of two nodes on this machine, puts the mesh on it, drives real traffic, shows what happened. */

import { type Clock, describeError, MeshError } from "@meltemi/runtime";
import type { Terminal } from "../output/terminal.ts";
import { type ClusterStatus, DemoCluster } from "./cluster.ts";
import { createNarrator, type Narrator } from "./narrator.ts";
import { holdName } from "./one-at-a-time.ts";
import { Stage, type StageOptions } from "./stage.ts";
import { adoptStaging, showCoexistence, showSecondInstall } from "./steps/adopt.ts";
import { showCanaryByHeader, showCanaryByWeight } from "./steps/canary.ts";
import { deployPrograms, installMesh, restoreCertificateLifetime } from "./steps/deploy.ts";
import { enrolNamespace, showEncrypted, showPlaintext } from "./steps/enrol.ts";
import { showOutlierDetection, showRetries } from "./steps/failures.ts";
import { showIdentities, showMetrics } from "./steps/identities.ts";
import { showAllowByIdentity, showDenyByAddress, showDenyByPort, showStrict } from "./steps/policy.ts";
import { showControlPlaneAway, showRotation } from "./steps/resilience.ts";
import { showHeaderPolicy, showRateLimit, showToken } from "./steps/tokens.ts";
import { applyWaypoint, showL4Untouched } from "./steps/waypoint.ts";
import { applyNamespaceWaypoint, applyWaypointFile } from "./steps/waypoint-of-namespace.ts";

export interface DemoOptions {
  readonly projectRoot: string;
  readonly clusterName: string;
  /** Leaves the cluster up and says how to explore it. */
  readonly keep: boolean;
  readonly format: "text" | "json";
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly isRoot: boolean;
}

export interface DemoDependencies {
  readonly terminal: Terminal;
  readonly clock: Clock;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

const NODES = 2;
/** 128 and the number of SIGINT, as a shell has it. */
const INTERRUPTED_EXIT_CODE = 130;
const NOT_ROOT =
  "The demo makes network namespaces and loads eBPF programs, which only root may do: sudo npm run demo. " +
  "Without root these work: npm test -- unit, and the commands validate and manifest generate.";

/** In the order of the story. A chapter that throws is a claim that failed; the next ones are still tried. */
const CHAPTERS: readonly { readonly name: string; readonly play: (stage: Stage) => Promise<void> }[] = [
  { name: "install", play: installMesh },
  { name: "deploy", play: deployPrograms },
  { name: "plaintext", play: showPlaintext },
  { name: "enrol", play: enrolNamespace },
  { name: "encrypted", play: showEncrypted },
  { name: "identities", play: showIdentities },
  { name: "second install", play: showSecondInstall },
  { name: "adopt staging", play: adoptStaging },
  { name: "beside sidecar mode", play: showCoexistence },
  { name: "allow by identity", play: showAllowByIdentity },
  { name: "deny by port", play: showDenyByPort },
  { name: "deny by address", play: showDenyByAddress },
  { name: "strict", play: showStrict },
  { name: "metrics", play: showMetrics },
  { name: "control plane away", play: showControlPlaneAway },
  { name: "rotation", play: showRotation },
  { name: "waypoint of a namespace", play: applyNamespaceWaypoint },
  { name: "waypoint as YAML", play: applyWaypointFile },
  { name: "waypoint", play: applyWaypoint },
  { name: "L4 untouched", play: showL4Untouched },
  { name: "canary by header", play: showCanaryByHeader },
  { name: "canary by weight", play: showCanaryByWeight },
  { name: "token", play: showToken },
  { name: "header policy", play: showHeaderPolicy },
  { name: "rate limit", play: showRateLimit },
  { name: "retries", play: showRetries },
  { name: "outlier detection", play: showOutlierDetection },
];

/** Exit code of the demo: 0 when every claim held, 130 when it was interrupted. */
export async function runDemo(options: DemoOptions, deps: DemoDependencies): Promise<number> {
  const { terminal, clock, signal } = deps;
  if (!options.isRoot) {
    terminal.aside(NOT_ROOT);
    return 1;
  }
  using held = holdName(options.clusterName);
  const narrator = createNarrator(options.format, deps);
  const startMs = clock.monotonicMs();
  const cluster = new DemoCluster({ ...options, name: options.clusterName });
  await removeEarlier(cluster, held.orphaned, narrator);
  let stage: Stage | undefined;
  try {
    stage = await makeStage(cluster, options, narrator, deps);
    await playChapters(stage);
  } catch (error) {
    if (!signal.aborted) {
      terminal.aside(`Error: ${describeError(error)}`);
      if (!options.keep) await cluster.down();
      return 1;
    }
  }
  if (signal.aborted) return await interrupted(cluster, options, narrator, terminal);
  const claims = stage?.claims ?? [];
  if (options.keep) await keepCluster(options.clusterName, stage, narrator);
  else if (stage !== undefined) await takeDown(cluster, stage);
  narrator.end(claims, clock.monotonicMs() - startMs);
  return claims.every((claim) => claim.ok) ? 0 : 1;
}

/** What a killed demo left is taken down. A cluster that somebody keeps is not ours to touch: throws CONFLICT. */
async function removeEarlier(cluster: DemoCluster, orphaned: boolean, narrator: Narrator): Promise<void> {
  const { state, name } = await cluster.status();
  if (state === "absent" && (await cluster.leftBehind()).length === 0) return;
  if (state === "up" && !orphaned) {
    throw new MeshError(
      "CONFLICT",
      `a cluster ${name} is up, perhaps of a demo with --keep: take it down with ` +
        `\`npm run --silent meltemi -- cluster down --name ${name}\`, or choose another --name`,
    );
  }
  narrator.note("What an earlier demo left is still there; it is taken down first.");
  await cluster.down();
}

async function makeStage(
  cluster: DemoCluster,
  options: DemoOptions,
  narrator: Narrator,
  deps: DemoDependencies,
): Promise<Stage> {
  const startMs = deps.clock.monotonicMs();
  narrator.chapter(
    "A Kubernetes of two nodes on this machine",
    "A real API server, real kubelets and network namespaces, without a container engine.",
  );
  await cluster.up(NODES, deps.signal);
  const stage = new Stage(stageOf(await cluster.status(), options), { ...deps, narrator });
  const nodes = (await stage.kubectl(["get", "nodes", "-o", "name"])).trim().split("\n");
  stage.claim({
    claim: "a cluster of two nodes is up, and kubectl talks to it",
    ok: nodes.length === NODES,
    seen: `up after ${Math.round(deps.clock.monotonicMs() - startMs)} ms`,
  });
  return stage;
}

function stageOf(status: ClusterStatus, options: DemoOptions): StageOptions {
  return {
    projectRoot: options.projectRoot,
    env: {
      ...options.env,
      KUBECONFIG: status.kubeconfig,
      PATH: `${status.folder}/bin:${options.env["PATH"] ?? ""}`,
    },
    // The first node's cable in the namespace that stands for the wire between the nodes.
    link: { namespace: `mlt-${status.name}-fabric`, interface: "port1" },
    captureFile: `${status.folder}/link.pcap`,
  };
}

async function playChapters(stage: Stage): Promise<void> {
  for (const chapter of CHAPTERS) {
    try {
      await chapter.play(stage);
      stage.signal.throwIfAborted();
    } catch (error) {
      // What an interruption cut short has shown nothing.
      if (stage.signal.aborted) throw error;
      stage.claim({
        claim: `the chapter "${chapter.name}" plays to its end`,
        ok: false,
        seen: describeError(error),
      });
      if (chapter.name === "install" || chapter.name === "deploy") return;
    }
  }
}

async function interrupted(
  cluster: DemoCluster,
  options: DemoOptions,
  narrator: Narrator,
  terminal: Terminal,
): Promise<number> {
  if (options.keep) {
    explainKept(options.clusterName, narrator);
    return INTERRUPTED_EXIT_CODE;
  }
  terminal.aside("\nInterrupted: the cluster is being taken down (Ctrl-C once more leaves it as it is).");
  await cluster.down();
  terminal.aside("The cluster is gone.");
  return INTERRUPTED_EXIT_CODE;
}

async function takeDown(cluster: DemoCluster, stage: Stage): Promise<void> {
  stage.narrator.chapter("Down: nothing is left behind", "The machine is as it was before.");
  const problem = await cluster.down().then(() => undefined, describeError);
  const left = await cluster.leftBehind();
  stage.claim({
    claim: "the cluster is gone, with its processes, namespaces, mounts, cgroups, kernel programs and files",
    ok: problem === undefined && left.length === 0,
    seen: problem ?? (left.length === 0 ? "nothing left" : `left: ${left.join(", ")}`),
  });
}

/** The short-lived certificates were for the show: whoever keeps the cluster gets the usual ones. */
async function keepCluster(name: string, stage: Stage | undefined, narrator: Narrator): Promise<void> {
  if (stage !== undefined) await restoreCertificateLifetime(stage);
  explainKept(name, narrator);
}

function explainKept(name: string, narrator: Narrator): void {
  narrator.note("The cluster stays up. To explore it:");
  for (const line of [
    `eval "$(npm run --silent meltemi -- cluster env --name ${name})"`,
    "kubectl get pods -A -o wide",
    "kubectl exec -n default deploy/client -- curl -s http://web/",
    "kubectl logs -n istio-system -l app=ztunnel -f",
    "kubectl exec -n default deploy/client -- curl -s http://reviews/",
    "kubectl logs -n default deploy/reviews-waypoint -f",
    "kubectl apply -f examples/demo/canary-by-header.yaml",
    `npm run --silent meltemi -- cluster down --name ${name}`,
  ]) {
    narrator.command(line);
  }
}
