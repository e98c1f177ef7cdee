/** `istioctl verify-install`: gone from Istio's master, and still looked for (reference: l7-and-cli §3.0). */

import { isNotFound, type KubernetesClient, type KubernetesObject, PODS } from "@meltemi/kubernetes";
import { type Command, Option } from "commander";
import { missingWorkloads } from "../install/expected.ts";
import { INSTALLED_KINDS } from "../install/kinds.ts";
import { planObjects } from "../install/make-plan.ts";
import { objectText } from "../install/plan.ts";
import { readinessOf } from "../install/readiness.ts";
import { readServerMinor } from "../install/server-version.ts";
import { judgeNodes, judgeObjects, renderVerification, type Verified } from "../install/verify.ts";
import { meshDefinitions } from "../manifests/definitions.ts";
import { factsOfMinor } from "../manifests/facts.ts";
import { renderComponents } from "../manifests/render.ts";
import { renderStructured } from "../output/structured.ts";
import { type ConnectFlags, connectOptions, withCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";
import { type ValuesFlags, valueOptions, valuesOfFlags } from "./install-values.ts";

interface VerifyFlags extends ValuesFlags, ConnectFlags {
  readonly output: "text" | "json" | "yaml";
}

const OWNED = "install.operator.istio.io/owning-resource=installed-state";

export function addVerifyInstallCommand(program: Command, context: CommandContext): void {
  const command = valueOptions(connectOptions(program.command("verify-install")))
    .description("whether what is installed is there and ready; with values, whether it is as they render it")
    .addOption(
      new Option("-o, --output <format>", "text, json or yaml")
        .choices(["text", "json", "yaml"])
        .default("text"),
    )
    .action((flags: VerifyFlags) => verify(flags, context));
  withExamples(command, program, ["$0 verify-install", "$0 verify-install --set profile=ambient"]);
}

async function verify(flags: VerifyFlags, context: CommandContext): Promise<void> {
  const hasValues = flags.set.length > 0 || flags.filename.length > 0 || flags.revision !== undefined;
  const all = await withCluster(flags, context, async (client) => [
    ...(await judgeInstalled(client, context)),
    ...(hasValues ? await judgeRendered(flags, client, context) : []),
  ]);
  // What is wrong with an object that is ready is said in the place of that.
  const verified = [...new Map(all.map((one) => [one.object, one])).values()];
  const { terminal } = context;
  if (flags.output !== "text") terminal.line(renderStructured(verified, flags.output));
  else for (const line of renderVerification(verified)) terminal.line(line);
  if (verified.length === 0 || verified.some(({ problem }) => problem !== undefined)) context.exit(1);
}

async function judgeInstalled(
  client: KubernetesClient,
  { signal }: CommandContext,
): Promise<readonly Verified[]> {
  const found: KubernetesObject[] = [];
  for (const type of INSTALLED_KINDS.toReversed()) {
    const { items } = await client.list(type, { labelSelector: OWNED, signal }).catch((error: unknown) => {
      if (isNotFound(error)) return { items: [] };
      throw error;
    });
    found.push(...items.map((object) => ({ ...object, kind: type.kind })));
  }
  const missing = missingWorkloads(found).map(({ kind, name, namespace }) => ({
    object: objectText({ kind, name, ...(namespace !== undefined && { namespace }) }),
    problem: "not there, although other objects of its component are",
  }));
  // An installation by charts is not judged here, and neither are its nodes.
  const isHere = found.some(
    ({ kind, metadata }) => kind === "ServiceAccount" && metadata?.name === "ztunnel",
  );
  const pods = isHere ? (await client.list(PODS, { signal })).items : [];
  return [...judgeObjects(found, readinessOf), ...missing, ...judgeNodes(pods)];
}

/** Only what is wrong: the rest has been told of. */
async function judgeRendered(
  flags: VerifyFlags,
  client: KubernetesClient,
  { signal }: CommandContext,
): Promise<readonly Verified[]> {
  const facts = factsOfMinor(await readServerMinor(client, signal));
  const objects = renderComponents(valuesOfFlags(flags), meshDefinitions(), facts).flatMap(
    (each) => each.objects,
  );
  const plan = await planObjects(objects, { client, signal });
  return plan.flatMap((change): readonly Verified[] => {
    const object = objectText(change.object);
    if (change.kind === "create") return [{ object, problem: "not there" }];
    if (change.kind !== "change") return [];
    const fields = change.differences.map(({ path }) => path).slice(0, 5);
    return [{ object, problem: `not as rendered: ${fields.join(", ") || "others own some of its fields"}` }];
  });
}
