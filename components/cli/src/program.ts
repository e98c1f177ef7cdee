/** All commands, as one program. */

import { Command, Help, type Option } from "commander";
import { addAdminCommand } from "./commands/admin.ts";
import { addAnalyzeCommand } from "./commands/analyze.ts";
import { addBugReportCommand } from "./commands/bug-report.ts";
import { addClusterCommand } from "./commands/cluster.ts";
import { addCompletionCommand } from "./commands/completion.ts";
import type { CommandContext } from "./commands/context.ts";
import { addCreateRemoteSecretCommand } from "./commands/create-remote-secret.ts";
import { addDashboardCommand } from "./commands/dashboard.ts";
import { addDemoCommand } from "./commands/demo.ts";
import { addExperimentalCommand } from "./commands/experimental.ts";
import { addExplainCommand } from "./commands/explain.ts";
import { readGlobalFlags } from "./commands/global-flags.ts";
import { addInstallCommand, addUpgradeCommand } from "./commands/install.ts";
import { addLeftOutCommands } from "./commands/left-out.ts";
import { addManifestCommand } from "./commands/manifest.ts";
import { addProxyConfigCommand } from "./commands/proxy-config.ts";
import { addProxyStatusCommand } from "./commands/proxy-status.ts";
import { addRemoteClustersCommand } from "./commands/remote-clusters.ts";
import { addOptionsCommand } from "./commands/settings.ts";
import { addTagCommand } from "./commands/tag.ts";
import { addUninstallCommand } from "./commands/uninstall.ts";
import { addValidateCommand } from "./commands/validate.ts";
import { addVerifyInstallCommand } from "./commands/verify-install.ts";
import { addVersionCommand } from "./commands/version.ts";
import { addWaypointCommand } from "./commands/waypoint.ts";
import { addZtunnelConfigCommand } from "./commands/ztunnel-config.ts";

/** `name` is what the user typed: `meltemi` or `istioctl`. */
export function createProgram(name: string, context: CommandContext): Command {
  const program = new Command(name)
    .description("Meltemi: an ambient service mesh, wire-compatible with Istio's")
    .version(context.version)
    .showHelpAfterError("(add --help for more)")
    .showSuggestionAfterError()
    .configureHelp({ optionDescription: describeOption })
    .addHelpText(
      "after",
      `
Examples:
  ${name} install --set profile=ambient
  kubectl label namespace default istio.io/dataplane-mode=ambient
  ${name} waypoint apply -n default --enroll-namespace
  ${name} explain deploy/client.shop server.shop:80
  ${name} validate -f policy.yaml
  ${name} demo`,
    );
  addInstallCommand(program, context);
  addUpgradeCommand(program, context);
  addUninstallCommand(program, context);
  addManifestCommand(program, context);
  addVerifyInstallCommand(program, context);
  addWaypointCommand(program, context);
  addZtunnelConfigCommand(program, context);
  addExplainCommand(program, context);
  addExperimentalCommand(program, context);
  addProxyStatusCommand(program, program, context);
  addProxyConfigCommand(program, context);
  addAnalyzeCommand(program, context);
  addValidateCommand(program, context);
  addVersionCommand(program, context);
  addTagCommand(program, context);
  addAdminCommand(program, context);
  addDashboardCommand(program, context);
  addBugReportCommand(program, context);
  addCreateRemoteSecretCommand(program, context);
  addRemoteClustersCommand(program, context);
  addCompletionCommand(program, context);
  addClusterCommand(program, context);
  addDemoCommand(program, context);
  addOptionsCommand(program, context);
  addLeftOutCommands(program);
  readGlobalFlags(program, context);
  return program;
}

/** That a flag is off and a list empty when they are not given goes without saying. */
function describeOption(option: Option): string {
  const isPlain =
    option.defaultValue === false || (Array.isArray(option.defaultValue) && option.defaultValue.length === 0);
  return isPlain ? option.description : new Help().optionDescription(option);
}
