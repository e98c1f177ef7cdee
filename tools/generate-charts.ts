/**
 * What the charts and the command line must agree on has one source, deploy/helm: defaults, profiles, refusals and rules of each chart. This
 * makes of it the copies that each chart needs of what they share, the charts' schemas, and the module that the native renderer reads;
 * definitions of kinds come from libraries/resources. `npm run generate` writes; a test compares.
 */
import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Document, isCollection, isScalar, type Pair, parse, visit } from "yaml";
import { gatewayApiDefinitions, istioDefinitions } from "../libraries/resources/src/index.ts";
import { type ChartSource, type Json, schemaOfChart, schemaOfUmbrella, type Tree } from "./chart-schema.ts";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const HELM = join(ROOT, "deploy", "helm");
const MODULE = "components/cli/src/manifests/generated/charts.ts";

export const CHARTS = ["base", "istiod", "cni", "ztunnel"] as const;
const MESH_GROUP = ".meltemi.io";
const RULES = "x-kubernetes-validations";

const read = (...path: string[]): string => readFileSync(join(HELM, ...path), "utf8");
const readTree = (...path: string[]): Tree => parse(read(...path)) as Tree;
const list = (pattern: string): readonly string[] => globSync(pattern, { cwd: HELM }).sort();

function readChart(name: string): ChartSource {
  const values = readTree(name, "values.yaml");
  return {
    name,
    defaults: values["_internal_defaults_do_not_set"] as Tree,
    refused: parse(read(name, "files", "refused.yaml")) as ChartSource["refused"],
    rules: Object.fromEntries(
      list(`${name}/files/rules/*.yaml`).map((path) => [basename(path, ".yaml"), parse(read(path)) as Json]),
    ),
  };
}

/** Path in the repository → text of everything that is made. */
export function chartFiles(): ReadonlyMap<string, string> {
  const charts = CHARTS.map(readChart);
  const profiles = list("shared/profiles/*.yaml");
  const files = new Map<string, string>();
  const put = (path: string, text: string): unknown => files.set(`deploy/helm/${path}`, text);
  for (const chart of charts) {
    put(`${chart.name}/templates/_values.tpl`, read("shared", "_values.tpl"));
    for (const path of profiles) put(`${chart.name}/files/profiles/${basename(path)}`, read(path));
    put(`${chart.name}/values.schema.json`, json(schemaOfChart(chart, charts)));
  }
  put("ambient/values.schema.json", json(schemaOfUmbrella(charts)));
  for (const [name, definitions] of definitionsByFile())
    put(`base/files/definitions/${name}.yaml`, definitionsText(definitions));
  const named = profiles.map((path) => [basename(path, ".yaml"), readTree(path)] as const);
  files.set(MODULE, moduleText(charts, Object.fromEntries(named)));
  return files;
}

function definitionsByFile(): ReadonlyMap<string, readonly object[]> {
  const ours = istioDefinitions();
  const isMesh = (definition: object): boolean =>
    (definition as { metadata: { name: string } }).metadata.name.endsWith(MESH_GROUP);
  return new Map([
    ["istio", ours.filter((definition) => !isMesh(definition))],
    ["meltemi", ours.filter(isMesh)],
    ["gateway-api", gatewayApiDefinitions()],
  ]);
}

/** Rules of definitions are on a line each, so that the chart can leave them out where a server does not know them. */
function definitionsText(definitions: readonly object[]): string {
  const document = new Document(definitions, { aliasDuplicateObjects: false });
  visit(document, {
    Map(_, map) {
      const isRules = ({ key }: Pair): boolean => isScalar(key) && key.value === RULES;
      const rules = map.items.filter(isRules);
      for (const { value } of rules) if (isCollection(value)) value.flow = true;
      map.items = [...map.items.filter((pair) => !isRules(pair)), ...rules];
    },
  });
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

function moduleText(charts: readonly ChartSource[], profiles: Readonly<Record<string, Tree>>): string {
  const facts = Object.fromEntries(
    charts.map((chart) => [
      chart.name,
      {
        defaults: chart.defaults,
        refused: chart.refused,
        rules: chart.rules,
        schema: schemaOfChart(chart, charts),
      },
    ]),
  );
  return [
    "// Made by tools/generate-charts.ts from deploy/helm: change it there.",
    'import type { ChartFacts } from "../chart-facts.ts";',
    'import type { Tree } from "../tree.ts";',
    "",
    `export const CHARTS: Readonly<Record<${CHARTS.map((name) => JSON.stringify(name)).join(" | ")}, ChartFacts>> = ${JSON.stringify(facts, undefined, 2)};`,
    "",
    `export const PROFILES: Readonly<Record<string, Tree>> = ${JSON.stringify(profiles, undefined, 2)};`,
    "",
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [path, text] of chartFiles()) {
    mkdirSync(dirname(join(ROOT, path)), { recursive: true });
    writeFileSync(join(ROOT, path), text);
  }
