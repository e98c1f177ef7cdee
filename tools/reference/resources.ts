/** The page of kinds: fields of our own in full, and who obeys what of Istio's and Gateway API's. */

import { gatewayApiDefinitions, istioDefinitions } from "../../libraries/resources/src/index.ts";
import { EFFECTS } from "./effects.ts";
import { code, page, table } from "./markdown.ts";

export interface Definition {
  readonly spec: {
    readonly group: string;
    readonly scope: string;
    readonly names: {
      readonly kind: string;
      readonly plural: string;
      readonly shortNames?: readonly string[];
    };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
}

interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly "x-kubernetes-validations"?: readonly { readonly rule: string; readonly message?: string }[];
}

const OURS = "meltemi.io";

export function definitions(): readonly Definition[] {
  return [...istioDefinitions(), ...gatewayApiDefinitions()] as readonly Definition[];
}

export function resourcesPage(): string {
  const own = definitions().filter(({ spec }) => spec.group === OURS);
  const foreign = definitions().filter(({ spec }) => spec.group !== OURS);
  return page(
    "Kinds",
    "`libraries/resources` and `tools/reference/effects.ts`",
    "What is installed, who obeys it in ambient mode, and what of it has no effect. Fields that no line excepts are obeyed as Istio and the Gateway API define them; what a schema or Istio's own rules refuse is refused ([validation](../validation.md)).",
    "## Istio's and Gateway API's",
    table(
      ["kind", "versions", "obeyed by", "without effect, or otherwise than in Istio"],
      foreign.map(({ spec }) => {
        const effect = EFFECTS[`${spec.group}/${spec.names.kind}`];
        return [
          `${code(spec.names.kind)} ${spec.group}`,
          spec.versions.map(({ name }) => name).join(", "),
          effect?.by ?? "",
          effect?.except ?? "",
        ];
      }),
    ),
    "`kubectl explain <kind> --recursive` lists all fields. More on each difference: [what differs from Istio](../differences.md).",
    ...own.flatMap(describeOwn),
  );
}

function describeOwn({ spec }: Definition): readonly string[] {
  const { kind, plural, shortNames = [] } = spec.names;
  const names = [plural, ...shortNames].map(code).join(", ");
  return spec.versions.map(({ name, schema }) =>
    [
      `## ${kind} (${spec.group}/${name})`,
      `${spec.scope}. kubectl knows it as ${names}. ${EFFECTS[`${spec.group}/${kind}`]?.by ?? ""}`,
      table(
        ["field", "type", "bounds", "rules"],
        schema.openAPIV3Schema.properties?.["spec"]
          ? rowsOf("spec", schema.openAPIV3Schema.properties["spec"], true)
          : [],
      ),
    ].join("\n\n"),
  );
}

function rowsOf(path: string, schema: Schema, isRequired: boolean): readonly (readonly string[])[] {
  const item = schema.items ?? schema;
  const here = schema.items === undefined ? path : `${path}[]`;
  const row = [
    code(here),
    `${typeOf(schema)}${isRequired ? ", required" : ""}`,
    boundsOf(schema),
    rulesOf(schema, item),
  ];
  const inner = Object.entries(item.properties ?? {}).flatMap(([name, each]) =>
    rowsOf(`${here}.${name}`, each, item.required?.includes(name) ?? false),
  );
  return [row, ...inner];
}

function typeOf(schema: Schema): string {
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  if (schema.enum !== undefined) return schema.enum.map((value) => code(String(value))).join(", ");
  return schema.type ?? "";
}

function boundsOf(schema: Schema): string {
  return [
    ...bounds(schema),
    ...(schema.items === undefined ? [] : bounds(schema.items).map((text) => `each ${text}`)),
  ].join("; ");
}

function bounds({
  minimum,
  maximum,
  minLength,
  maxLength,
  minItems,
  maxItems,
  pattern,
}: Schema): readonly string[] {
  return [
    range(minimum, maximum, ""),
    range(minLength, maxLength, " characters"),
    range(minItems, maxItems, " items"),
    pattern && code(pattern),
  ].filter((text): text is string => text !== undefined && text !== "");
}

function range(min: number | undefined, max: number | undefined, unit: string): string {
  if (min === undefined && max === undefined) return "";
  if (max === undefined) return `at least ${min}${unit}`;
  return `${min ?? 0}–${max}${unit}`;
}

function rulesOf(schema: Schema, item: Schema): string {
  const rules = [
    ...(schema["x-kubernetes-validations"] ?? []),
    ...(item === schema ? [] : (item["x-kubernetes-validations"] ?? [])),
  ];
  return rules.map(({ message, rule }) => message ?? code(rule)).join("; ");
}
