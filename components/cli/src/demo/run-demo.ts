/** `npm run demo`: makes a cluster of two nodes on this machine, puts the mesh on it, drives real traffic, shows what happened. */

import { type Clock, describeError } from "@meltemi/runtime";
import type { Terminal } from "../output/terminal.ts";
import { runCommand } from "./command.ts";
import { createNarrator, type Narrator } from "./narrator.ts";
import { Stage, type StageOptions } from "./stage.ts";
import { deployPrograms, installMesh } from "./steps/deploy.ts";
import { enrolNamespace, showEncrypted, showPlaintext } from "./steps/enrol.ts";
import { showIdentities, showMetrics } from "./steps/identities.ts";
import { showAllowByIdentity, showDenyByAddress, showDenyByPort, showStrict } from "./steps/policy.ts";
import { showControlPlaneAway, showRotation } from "./steps/resilience.ts";

export interface DemoOptions {
  readonly projectRoot: string;
  readonly clusterName: string;
  /** Leaves the cluster up and says how to explore it. */
  readonly keep: boolean;
  readonly format: "text" | "json";
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface DemoDependencies {
  readonly terminal: Terminal;
  readonly clock: Clock;
}

const CLUSTER_UP_DEADLINE_MS = 120_000;

/** In the order of the story. A chapter that throws is a claim that failed; the next ones are still tried. */
const CHAPTERS: readonly { readonly name: string; readonly play: (stage: Stage) => Promise<void> }[] = [
  { name: "install", play: installMesh },
  { name: "deploy", play: deployPrograms },
  { name: "plaintext", play: showPlaintext },
  { name: "enrol", play: enrolNamespace },
  { name: "encrypted", play: showEncrypted },
  { name: "identities", play: showIdentities },
  { name: "allow by identity", play: showAllowByIdentity },
  { name: "deny by port", play: showDenyByPort },
  { name: "deny by address", play: showDenyByAddress },
  { name: "strict", play: showStrict },
  { name: "metrics", play: showMetrics },
  { name: "rotation", play: showRotation },
  { name: "control plane away", play: showControlPlaneAway },
];

/** Exit code of the demo: 0 when every claim held. */
export async function runDemo(options: DemoOptions, deps: DemoDependencies): Promise<number> {
  const narrator = createNarrator(options.format, deps);
  const startMs = deps.clock.monotonicMs();
  const cluster = clusterCommand(options);
  narrator.chapter("A Kubernetes of two nodes on this machine");
  const up = await cluster("up", "--nodes", "2");
  if (up.code !== 0) {
    deps.terminal.aside(up.stderr.trim());
    return 1;
  }
  const status = JSON.parse((await cluster("status", "-o", "json")).stdout) as ClusterStatus;
  const stage = new Stage(stageOf(status, options), { narrator, clock: deps.clock });
  stage.claim({
    claim: "a cluster of two nodes is up, and kubectl talks to it",
    ok: (await stage.kubectl(["get", "nodes", "-o", "name"])).trim().split("\n").length === 2,
    seen: `up after ${Math.round(deps.clock.monotonicMs() - startMs)} ms`,
  });
  await playChapters(stage);
  if (options.keep) explainKept(narrator);
  else await takeDown(cluster, stage);
  narrator.end(stage.claims, deps.clock.monotonicMs() - startMs);
  return stage.claims.every((claim) => claim.ok) ? 0 : 1;
}

async function playChapters(stage: Stage): Promise<void> {
  for (const chapter of CHAPTERS) {
    try {
      await chapter.play(stage);
    } catch (error) {
      stage.claim({
        claim: `the chapter "${chapter.name}" plays to its end`,
        ok: false,
        seen: describeError(error),
      });
      if (chapter.name === "install" || chapter.name === "deploy") return;
    }
  }
}

type ClusterCommand = (...args: readonly string[]) => ReturnType<typeof runCommand>;

function clusterCommand(options: DemoOptions): ClusterCommand {
  const program = `${options.projectRoot}/components/local-cluster/src/main.ts`;
  return (command = "status", ...args) =>
    runCommand([process.execPath, program, command, "--name", options.clusterName, ...args], {
      env: options.env,
      timeoutMs: CLUSTER_UP_DEADLINE_MS,
    });
}

interface ClusterStatus {
  readonly name: string;
  readonly folder: string;
  readonly kubeconfig: string;
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
  };
}

async function takeDown(cluster: ClusterCommand, stage: Stage): Promise<void> {
  stage.narrator.chapter("Down: nothing is left behind");
  const down = await cluster("down");
  const left = await leftBehind(stage.options.link.namespace.replace(/fabric$/, ""));
  stage.claim({
    claim: "the cluster is gone, with its namespaces, mounts, cgroups and kernel programs",
    ok: down.code === 0 && left.length === 0,
    seen:
      down.code !== 0 ? down.stderr.trim() : left.length === 0 ? "nothing left" : `left: ${left.join(", ")}`,
  });
}

/** What still carries the cluster's name on this machine. */
async function leftBehind(prefix: string): Promise<readonly string[]> {
  const name = prefix.replace(/^mlt-|-$/g, "");
  const looks: readonly { readonly argv: readonly string[]; readonly sign: string }[] = [
    { argv: ["ip", "netns", "list"], sign: prefix },
    { argv: ["cat", "/proc/self/mountinfo"], sign: `/meltemi/${name}/` },
    { argv: ["find", "/sys/fs/cgroup", "-maxdepth", "2", "-name", `meltemi-${name}`], sign: name },
    { argv: ["find", "/sys/fs/bpf", "-maxdepth", "1", "-name", `meltemi-${name}`], sign: name },
  ];
  const found: string[] = [];
  for (const look of looks) {
    const { stdout } = await runCommand(look.argv);
    found.push(...stdout.split("\n").filter((line) => line.includes(look.sign)));
  }
  return found;
}

function explainKept(narrator: Narrator): void {
  narrator.note("The cluster stays up. To explore it:");
  for (const line of [
    'eval "$(npm run --silent meltemi -- cluster env --name demo)"',
    "kubectl get pods -A -o wide",
    "kubectl exec -n shop deploy/client -- curl -s http://web/",
    "kubectl logs -n istio-system -l app=ztunnel -f",
    "kubectl apply -f examples/demo/allow-client.yaml",
    "npm run --silent meltemi -- cluster down --name demo",
  ]) {
    narrator.command(line);
  }
}
