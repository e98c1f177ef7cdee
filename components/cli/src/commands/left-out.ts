/** Commands of Istio's that are not here: whoever calls one is told why, and what to do instead (docs/cli.md has the whole list). */

import { MeshError } from "@meltemi/runtime";
import type { Command } from "commander";
import { withExamples } from "./examples.ts";

interface LeftOut {
  /** Last is the command; those before are its parents. */
  readonly path: readonly string[];
  readonly aliases?: readonly string[];
  readonly about: string;
  readonly reason: string;
  readonly instead: string;
}

const NO_SIDECARS =
  "there is no sidecar injector yet: pods join the mesh in ambient mode, without a change of their own";
const ENROL = "kubectl label namespace shop istio.io/dataplane-mode=ambient";

const LEFT_OUT: readonly LeftOut[] = [
  { path: ["kube-inject"], about: "add a sidecar to manifests", reason: NO_SIDECARS, instead: ENROL },
  {
    path: ["experimental", "check-inject"],
    about: "whether a sidecar would be injected",
    reason: NO_SIDECARS,
    instead: "$0 x describe pod deploy/client.shop",
  },
  {
    path: ["experimental", "injector"],
    about: "injectors and their namespaces",
    reason: NO_SIDECARS,
    instead: "$0 ztunnel-config workload",
  },
  {
    path: ["experimental", "envoy-stats"],
    aliases: ["es"],
    about: "statistics of Envoy",
    reason: "there is no Envoy; every proxy has Prometheus' metrics at :15020/stats/prometheus",
    instead: "$0 dashboard proxy deploy/waypoint.shop",
  },
  {
    path: ["experimental", "workload"],
    about: "machines outside of Kubernetes",
    reason: "machines outside of Kubernetes are not supported yet",
    instead: "$0 x describe service server.shop",
  },
  {
    path: ["authz"],
    about: "policies of a pod",
    reason: "it is experimental, as in Istio",
    instead: "$0 x authz check deploy/waypoint.shop",
  },
  {
    path: ["profile"],
    about: "list and print profiles",
    reason: "Istio's master has it no more; profiles are ambient, default, minimal and empty",
    instead: "$0 manifest generate --set profile=ambient",
  },
  {
    path: ["operator"],
    about: "the operator in the cluster",
    reason: "Istio's master has it no more; an IstioOperator file is given to install",
    instead: "$0 install -f operator.yaml",
  },
];

export function addLeftOutCommands(program: Command): void {
  for (const { path, aliases = [], about, reason, instead } of LEFT_OUT) {
    const parent = path.slice(0, -1).reduce(childOf, program);
    const name = path.at(-1) ?? "";
    const command = parent
      .command(name, { hidden: true })
      .aliases([...aliases])
      .description(`${about}: left out`)
      .argument("[words...]", "whatever Istio's takes")
      .allowUnknownOption()
      .action(() => {
        throw new MeshError(
          "UNSUPPORTED",
          `${path.join(" ")}: ${reason}. Try: ${instead.replaceAll("$0", program.name())}`,
        );
      });
    withExamples(command, program, [instead]);
  }
}

function childOf(parent: Command, name: string): Command {
  return parent.commands.find((one) => one.name() === name) ?? parent;
}
