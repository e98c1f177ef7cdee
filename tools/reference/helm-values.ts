/** The page of the charts' values: paths, defaults and comments of deploy/helm. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isMap, isScalar, type Pair, parse, parseDocument, type YAMLMap } from "yaml";
import { CHARTS } from "../generate-charts.ts";
import { code, page, table } from "./markdown.ts";
import { ROOT } from "./record-families.ts";

const DEFAULTS = "_internal_defaults_do_not_set";

export function helmValuesPage(): string {
  return page(
    "Values of the charts",
    "`deploy/helm/*/values.yaml`",
    "Given without the prefix that stands in the files: `--set autoscaleMin=2`. `istioctl install` takes the same under `values.`: those of istiod under `values.pilot.` or `values.global.`, of the others under `values.cni.`, `values.ztunnel.`, `values.base.`. How to use the charts: [Helm charts](../../deploy/helm/README.md).",
    ...CHARTS.map((chart) => `## ${chart}\n\n${valuesTable(chart)}`),
    "## ambient",
    "All four in one release, with the values of each chart under its name.",
    ...CHARTS.map((chart) => refusedTable(chart)),
  );
}

function valuesTable(chart: string): string {
  const document = parseDocument(readFileSync(join(ROOT, "deploy", "helm", chart, "values.yaml"), "utf8"));
  const defaults = document.get(DEFAULTS);
  if (!isMap(defaults)) throw new Error(`deploy/helm/${chart}/values.yaml: expected ${DEFAULTS}, found none`);
  return table(["value", "default", "meaning"], rowsOf("", defaults));
}

function rowsOf(prefix: string, map: YAMLMap): readonly (readonly string[])[] {
  return map.items.flatMap((pair, index) => {
    const path = prefix === "" ? keyOf(pair) : `${prefix}.${keyOf(pair)}`;
    const about = commentOf(pair, index === 0 ? map.commentBefore : undefined);
    const { value } = pair;
    if (isMap(value) && value.items.length > 0) {
      const inner = rowsOf(path, value);
      return about === "" ? inner : [[code(path), "", about], ...inner];
    }
    return [[code(path), code(defaultOf(value)), about]];
  });
}

function keyOf({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : String(key);
}

/** The parser hangs the comment before a map's first key on the map. */
function commentOf({ key, value }: Pair, before: string | null | undefined): string {
  const above = (isScalar(key) ? key.commentBefore : undefined) ?? before ?? "";
  const beside = isScalar(value) ? (value.comment ?? "") : "";
  return `${above}\n${beside}`
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .join(" ");
}

function defaultOf(value: unknown): string {
  const plain = (value as { toJSON(): unknown } | null)?.toJSON() ?? null;
  return plain === "" ? '""' : JSON.stringify(plain);
}

function refusedTable(chart: string): string {
  const path = join(ROOT, "deploy", "helm", chart, "files", "refused.yaml");
  const refused = parse(readFileSync(path, "utf8")) as readonly Refused[];
  if (refused.length === 0) return "";
  return `## Refused by ${chart}\n\n${table(
    ["values", "taken", "why nothing else is"],
    refused.map(({ paths, accept, why }) => [
      paths.map(code).join(", "),
      accept.map((each) => code(JSON.stringify(each))).join(", "),
      why,
    ]),
  )}`;
}

/** Of files/refused.yaml. */
interface Refused {
  readonly paths: readonly string[];
  readonly accept: readonly unknown[];
  readonly why: string;
}
