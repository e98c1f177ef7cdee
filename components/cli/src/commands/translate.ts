/** `istioctl manifest translate`: values for the helm charts, from what an IstioOperator says. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MeshError } from "@meltemi/runtime";
import type { Command } from "commander";
import { stringify } from "yaml";
import type { AskedChart } from "../manifests/asked-values.ts";
import { readAskedCharts } from "../manifests/values.ts";
import type { CommandContext } from "./context.ts";
import { withExamples } from "./examples.ts";
import { layersOfFlags, type ValuesFlags, valueOptions } from "./install-values.ts";

interface TranslateFlags extends ValuesFlags {
  readonly output?: string;
}

export function addTranslateCommand(manifest: Command, program: Command, context: CommandContext): void {
  withExamples(
    valueOptions(manifest.command("translate"))
      .description("an IstioOperator as values of the helm charts")
      .option("-o, --output <folder>", "write one file for each chart; otherwise all are printed")
      .action((flags: TranslateFlags) => translate(flags, context)),
    program,
    [
      "$0 manifest translate -f operator.yaml",
      "$0 manifest translate -f operator.yaml --set values.ztunnel.logLevel=debug -o values/",
    ],
  );
}

function translate(flags: TranslateFlags, { terminal }: CommandContext): void {
  const asked = readAskedCharts(layersOfFlags(flags));
  if (asked.kind === "invalid")
    throw new MeshError(
      "INPUT_INVALID",
      `these values cannot be translated:\n  ${asked.problems.join("\n  ")}`,
    );
  const charts = asked.charts.filter(({ isEnabled }) => isEnabled);
  if (charts.length === 0)
    throw new MeshError(
      "INPUT_INVALID",
      "translate: these values enable no component; expected a profile or components",
    );
  for (const { chart, problems } of charts)
    for (const problem of problems) terminal.aside(`WARNING: not translated for chart ${chart}: ${problem}`);
  const texts = charts.map(
    (chart) => [chart, stringify(chart.values, { aliasDuplicateObjects: false })] as const,
  );
  if (flags.output === undefined)
    terminal.line(texts.map(([chart, text]) => `# ${fileName(chart)}\n${text.trimEnd()}`).join("\n---\n"));
  else writeAll(flags.output, texts);
  terminal.aside("Install with:");
  for (const chart of charts) terminal.aside(`  ${helmLine(chart, flags.output ?? ".")}`);
}

function writeAll(folder: string, texts: readonly (readonly [AskedChart, string])[]): void {
  try {
    mkdirSync(folder, { recursive: true });
    for (const [chart, text] of texts) writeFileSync(join(folder, fileName(chart)), text);
  } catch (cause) {
    throw new MeshError("INPUT_INVALID", `write values to ${folder}: expected a folder that may be written`, {
      cause,
    });
  }
}

function fileName({ chart }: AskedChart): string {
  return `${chart}-values.yaml`;
}

/** Releases as Istio's guides call them. */
const RELEASES: Readonly<Record<AskedChart["chart"], string>> = {
  base: "istio-base",
  istiod: "istiod",
  cni: "istio-cni",
  ztunnel: "ztunnel",
};

function helmLine(asked: AskedChart, folder: string): string {
  const { chart, namespace } = asked;
  return `helm upgrade --install ${RELEASES[chart]} deploy/helm/${chart} -n ${namespace} --create-namespace --wait -f ${join(folder, fileName(asked))}`;
}
