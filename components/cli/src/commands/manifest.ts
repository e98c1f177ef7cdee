/** `istioctl manifest generate`, `diff` and `translate` (reference: l7-and-cli §3.1). */

import { MeshError } from "@meltemi/runtime";
import { type Command, Option } from "commander";
import { stringify } from "yaml";
import { compareObjects, renderComparison } from "../diff/compare-objects.ts";
import { planObjects } from "../install/make-plan.ts";
import { renderPlan } from "../install/plan.ts";
import { findTypes } from "../install/served-kinds.ts";
import { meshDefinitions } from "../manifests/definitions.ts";
import type { Manifest } from "../manifests/objects.ts";
import { renderComponents } from "../manifests/render.ts";
import { readInstallValues } from "../manifests/values.ts";
import { loadFiles } from "../mesh-objects/load-files.ts";
import { type MeshObject, readObject } from "../mesh-objects/object-set.ts";
import { renderStructured } from "../output/structured.ts";
import { type ConnectFlags, connectOptions, withCluster } from "./connect.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";
import { type ValuesFlags, valueOptions, valuesOfFlags } from "./install-values.ts";
import { addTranslateCommand } from "./translate.ts";

interface DiffFlags extends ConnectFlags {
  readonly output: "text" | "json" | "yaml";
}

/** As diff(1), and Istio's, say it. */
const DIFFERENT_EXIT_CODE = 1;

export function addManifestCommand(program: Command, context: CommandContext): void {
  const manifest = withExamples(
    program.command("manifest").description("print, compare and translate what install would apply"),
    program,
    [
      "$0 manifest generate --set profile=ambient > mesh.yaml",
      "$0 manifest diff mesh.yaml",
      "$0 manifest translate -f operator.yaml -o values/",
    ],
  );
  withExamples(
    valueOptions(manifest.command("generate"))
      .description("print the manifests as YAML")
      .action((flags: ValuesFlags) => generate(flags, context)),
    program,
    [
      "$0 manifest generate --set profile=ambient > mesh.yaml",
      "$0 manifest generate --set profile=ambient | kubectl apply --server-side -f -",
    ],
  );
  withExamples(
    connectOptions(manifest.command("diff"))
      .description("what differs between two files of manifests, or between one and what runs")
      .argument("<a>", "file or folder of YAML, an IstioOperator file, or - for standard input")
      .argument("[b]", "another one; without it, what runs in the cluster")
      .addOption(
        new Option("-o, --output <format>", "text, json or yaml")
          .choices(["text", "json", "yaml"])
          .default("text"),
      )
      .addHelpText("after", "\nExit code 1 when they differ. No value of a Secret is shown.")
      .action((a: string, b: string | undefined, flags: DiffFlags) => diff(a, b, flags, context)),
    program,
    [
      "$0 manifest diff old.yaml new.yaml",
      "$0 manifest generate --set profile=ambient | $0 manifest diff -",
      "$0 manifest diff mesh.yaml -o json",
    ],
  );
  addTranslateCommand(manifest, program, context);
}

function generate(flags: ValuesFlags, context: CommandContext): void {
  const objects = renderComponents(valuesOfFlags(flags), meshDefinitions()).flatMap((each) => each.objects);
  context.terminal.line(
    objects.map((object) => stringify(object, { aliasDuplicateObjects: false })).join("---\n"),
  );
}

async function diff(
  a: string,
  b: string | undefined,
  flags: DiffFlags,
  context: CommandContext,
): Promise<void> {
  const { terminal } = context;
  const left = await load(a, context);
  if (b === undefined) return diffLive(left, flags, context);
  const comparison = compareObjects(left, await load(b, context));
  if (flags.output !== "text") terminal.line(renderStructured(comparison, flags.output));
  else for (const line of renderComparison(comparison, [a, b])) terminal.line(line);
  if (comparison.length > 0) context.exit(DIFFERENT_EXIT_CODE);
}

/** What applying the file would change: the API server says, by a trial. */
async function diffLive(
  objects: readonly MeshObject[],
  flags: DiffFlags,
  context: CommandContext,
): Promise<void> {
  const { terminal, signal } = context;
  const plan = await withCluster(flags, context, async (client) => {
    const manifests = objects.map(({ raw }) => raw as unknown as Manifest);
    const typeOf = await findTypes(manifests, { client, signal });
    // As kubectl would apply them.
    const placed = manifests.map((manifest) =>
      typeOf(manifest).namespaced && manifest.metadata.namespace === undefined
        ? { ...manifest, metadata: { ...manifest.metadata, namespace: client.defaultNamespace } }
        : manifest,
    );
    return planObjects(placed, { client, signal }, typeOf);
  });
  const changes = plan.filter(({ kind }) => kind === "create" || kind === "change");
  if (flags.output !== "text") terminal.line(renderStructured(changes, flags.output));
  else for (const line of renderPlan(plan)) terminal.line(line);
  if (changes.length > 0) context.exit(DIFFERENT_EXIT_CODE);
}

/** Objects as they are; an IstioOperator stands for what install makes of it. */
async function load(name: string, context: CommandContext): Promise<readonly MeshObject[]> {
  const { objects, problems } = await loadFiles([name], "", context.stdin);
  if (problems.length > 0) throw new MeshError("INPUT_INVALID", problems.join("\n"));
  if (objects.some(({ kind }) => kind === "IstioOperator")) return rendered(name, objects);
  if (objects.length === 0)
    throw new MeshError("INPUT_INVALID", `read ${name}: expected objects of Kubernetes, got none`);
  return objects;
}

function rendered(name: string, objects: readonly MeshObject[]): readonly MeshObject[] {
  const [operator, ...others] = objects;
  if (operator === undefined || others.length > 0)
    throw new MeshError(
      "INPUT_INVALID",
      `read ${name}: expected one IstioOperator and nothing else, or objects without one`,
    );
  const read = readInstallValues([operator.spec]);
  if (read.kind === "invalid")
    throw new MeshError("INPUT_INVALID", `read ${name}: ${read.problems.join("\n  ")}`);
  return renderComponents(read.values, meshDefinitions())
    .flatMap((component) => component.objects)
    .flatMap((object) => readObject(object) ?? []);
}
