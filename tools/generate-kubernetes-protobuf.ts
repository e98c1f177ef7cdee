/**
 * Field numbers of Kubernetes' protobuf encoding, for the local cluster's API server: kubectl sends some of its requests so.
 * Reads the `generated.proto` files of the repositories `kubernetes/api` and `kubernetes/apimachinery` and writes numbers
 * and names only, for the types that `generate-kubernetes-schemas.ts` wrote before.
 * Argument: a folder with both, named `api` and `apimachinery`.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const GENERATED = "components/local-cluster/src/api-server/schema/generated";
const [source] = process.argv.slice(2);
if (source === undefined)
  throw new Error("usage: generate-kubernetes-protobuf.ts <folder of api and apimachinery>");

interface Property {
  readonly format?: string;
}
const schemas = JSON.parse(readFileSync(`${GENERATED}/built-in.json`, "utf8")) as Record<
  string,
  { readonly properties?: Readonly<Record<string, Property>> }
>;

/** Type name → lines of `number name`, `number >inlined type`, or `number name=bytes`. */
const table = new Map<string, string>();
/** Types whose fields lie flat in another's JSON: decoded with the outer type's schema. */
const inlined = new Set<string>();

/** What Go embeds in a struct has a name in protobuf only. */
const INLINED_FIELDS = new Set([
  "ephemeralContainerCommon",
  "handler",
  "localObjectReference",
  "rule",
  "volumeSource",
]);

function readProto(path: string, prefix: string): void {
  const text = readFileSync(`${source}/${path}`, "utf8");
  for (const [, name, body] of text.matchAll(/^message (\w+) \{\n([\s\S]*?)^\}/gm)) {
    const type = `${prefix}.${name}`;
    const known = schemas[type]?.properties;
    const fields = [
      ...(body ?? "").matchAll(/^ {2}(?:optional |repeated )?(map<string, [.\w]+>|[.\w]+) (\w+) = (\d+);/gm),
    ];
    const entries = fields.map(([, fieldType = "", field = "", number = ""]) => {
      const bytes = /\bbytes\b/.test(fieldType) ? "=bytes" : "";
      const name = field.replace(/^[A-Z]/, (letter) => letter.toLowerCase());
      if (known === undefined || Object.hasOwn(known, name)) return `${number} ${name}${bytes}`;
      if (!INLINED_FIELDS.has(field)) return "";
      inlined.add(`${prefix}.${fieldType}`);
      return `${number} >${prefix}.${fieldType}`;
    });
    table.set(type, entries.filter((entry) => entry !== "").join(","));
  }
}

const groups = [
  ...new Set(
    Object.keys(schemas).map(
      (name) => /^io\.k8s\.api\.(\w+)\.(\w+)\./.exec(name)?.slice(1, 3).join("/") ?? "",
    ),
  ),
];
for (const group of groups.filter((name) => name !== "")) {
  const path = `api/${group}/generated.proto`;
  if (existsSync(`${source}/${path}`)) readProto(path, `io.k8s.api.${group.replace("/", ".")}`);
}
readProto("apimachinery/pkg/apis/meta/v1/generated.proto", "io.k8s.apimachinery.pkg.apis.meta.v1");

const wanted = [...table].filter(([type]) => Object.hasOwn(schemas, type) || inlined.has(type));
const lines = wanted
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([type, fields]) => `${JSON.stringify(type)}: ${JSON.stringify(fields)}`);
writeFileSync(`${GENERATED}/protobuf-fields.json`, `{\n${lines.join(",\n")}\n}\n`);
