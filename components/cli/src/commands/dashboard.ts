/** `istioctl dashboard` (aliases `dash`, `d`; reference: l7-and-cli §3.6). */

import { spawn } from "node:child_process";
import type { Pod } from "@meltemi/kubernetes";
import { describeError, MeshError } from "@meltemi/runtime";
import { type Command, Option } from "commander";
import { DASHBOARDS, type Dashboard } from "../dashboard/dashboards.ts";
import { openTunnel } from "../dashboard/tunnel.ts";
import { findPods, podsWith, podText } from "../reach/find-pods.ts";
import type { MeshCluster } from "../reach/mesh-cluster.ts";
import { parseTarget } from "../reach/target.ts";
import { type MeshFlags, meshOptions, withMeshCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";
import { readBoolean, readPort } from "./flag-values.ts";

interface DashboardFlags extends MeshFlags {
  readonly port: number;
  readonly address: string;
  readonly browser: boolean;
  readonly uiPort?: number;
  readonly selector?: string;
}

const PROXY_ADMIN_PORT = 15_000;

export function addDashboardCommand(program: Command, context: CommandContext): void {
  const parent = withExamples(
    program
      .command("dashboard")
      .aliases(["dash", "d"])
      .description("open a page of a program in the cluster, through a tunnel to this machine"),
    program,
    ["$0 dashboard prometheus", "$0 dashboard proxy deploy/waypoint.shop --browser=false"],
  );
  for (const dashboard of DASHBOARDS)
    withExamples(
      dashboardOptions(parent.command(dashboard.name))
        .description(dashboard.about)
        .option("--ui-port <port>", "port of its pages in the pod", readPort)
        .option("-l, --selector <labels>", "label selector of its pods")
        .action((flags: DashboardFlags) => openDashboard(dashboard, flags, context)),
      program,
      [`$0 dashboard ${dashboard.name}`, `$0 dashboard ${dashboard.name} --browser=false --port 8000`],
    );
  withExamples(
    dashboardOptions(parent.command("proxy"))
      .description("admin pages of a ztunnel or waypoint")
      .argument("<target>", "[<type>/]<name>[.<namespace>]")
      .option("--ui-port <port>", "port of its admin server", readPort)
      .action((target: string, flags: DashboardFlags) => openProxy(target, flags, context)),
    program,
    ["$0 dashboard proxy ds/ztunnel.istio-system"],
  );
}

function dashboardOptions(command: Command): Command {
  return meshOptions(command)
    .addOption(
      new Option("-p, --port <port>", "local port; otherwise any that is free")
        .argParser(readPort)
        .default(0, "any"),
    )
    .option("--address <address>", "local address", "localhost")
    .addOption(new Option("--browser [boolean]", "open a browser").argParser(readBoolean).default(true));
}

async function openDashboard(
  dashboard: Dashboard,
  flags: DashboardFlags,
  context: CommandContext,
): Promise<void> {
  await withMeshCluster(flags, context, async (cluster) => {
    const namespace = flags.namespace ?? flags.istioNamespace;
    const labelSelector = flags.selector ?? dashboard.selector;
    const [pod] = await podsWith({ namespace, labelSelector }, cluster);
    if (pod === undefined)
      throw new MeshError(
        "NOT_FOUND",
        `no ${dashboard.name} pods found in namespace ${namespace} (labels ${labelSelector})${hintFor(dashboard)}`,
      );
    await serve(pod, flags.uiPort ?? dashboard.port, dashboard.path, flags, cluster, context);
  });
}

async function openProxy(target: string, flags: DashboardFlags, context: CommandContext): Promise<void> {
  await withMeshCluster(flags, context, async (cluster) => {
    const [pod] = await findPods(
      parseTarget(target, flags.namespace ?? cluster.client.defaultNamespace),
      cluster,
    );
    if (pod !== undefined) await serve(pod, flags.uiPort ?? PROXY_ADMIN_PORT, "/", flags, cluster, context);
  });
}

function hintFor({ name, selector }: Dashboard): string {
  return selector === "app=istiod"
    ? "; is the mesh there? See: istioctl version"
    : `; the mesh brings no ${name} of its own: install one, or say where it is with -i <namespace> and --selector`;
}

/** Until Ctrl-C. */
async function serve(
  pod: Pod,
  uiPort: number,
  path: string,
  flags: DashboardFlags,
  cluster: MeshCluster,
  context: CommandContext,
): Promise<void> {
  const { terminal, signal } = context;
  // That it can be reached is known before anybody is sent there.
  (await cluster.openPort(pod, uiPort)).destroy();
  const tell = (error: unknown): void => terminal.aside(`${podText(pod)}: ${describeError(error)}`);
  await using tunnel = await openTunnel(flags.address, flags.port, () => cluster.openPort(pod, uiPort), tell);
  const url = `http://${flags.address}:${tunnel.port}${path}`;
  terminal.line(url);
  if (flags.browser) openBrowser(url, context);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** Where there is none, the address on the screen is enough. */
function openBrowser(url: string, context: CommandContext): void {
  const child = spawn("xdg-open", [url], { stdio: "ignore", detached: true, env: context.env });
  child.on("error", () => context.terminal.aside("No browser was found: open the address above."));
  child.unref();
}
