/** `istioctl experimental` (aliases `x`, `exp`; reference: l7-and-cli §3.0). */

import type { Command } from "commander";
import { addAuthzCommand } from "./authz-check.ts";
import type { CommandContext } from "./context.ts";
import { addDescribeCommand } from "./describe.ts";
import { withExamples } from "./examples.ts";
import { addInternalDebugCommand } from "./internal-debug.ts";
import { addMetricsCommand } from "./metrics.ts";
import { addPrecheckCommand } from "./precheck.ts";
import { addProxyStatusCommand } from "./proxy-status.ts";
import { addConfigCommand } from "./settings.ts";

export function addExperimentalCommand(program: Command, context: CommandContext): void {
  const parent = withExamples(
    program
      .command("experimental")
      .aliases(["x", "exp"])
      .description("commands that Istio calls experimental"),
    program,
    ["$0 x describe pod deploy/client.shop", "$0 x precheck"],
  );
  addDescribeCommand(parent, program, context);
  addAuthzCommand(parent, program, context);
  addInternalDebugCommand(parent, program, context);
  addPrecheckCommand(parent, program, context);
  addProxyStatusCommand(program, parent, context);
  addConfigCommand(parent, program, context);
  addMetricsCommand(parent, program, context);
}
