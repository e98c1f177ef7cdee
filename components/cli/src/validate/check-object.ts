/** As the mesh's own check, and an IstioOperator against the values of the installation. Pure. */

import {
  checkObject as checkMeshObject,
  checkSchema,
  type Findings,
  isFields,
  METADATA_SCHEMA,
  type Path,
  parsePath,
  type Verdict,
  warningsOf,
} from "@meltemi/validation";
import { readInstallValues } from "../manifests/values.ts";

type Fields = Readonly<Record<string, unknown>>;

export function checkObject(object: unknown, path: Path, findings: Findings): Verdict {
  const before = errorCount(findings);
  const verdict = checkMeshObject(object, path, findings, { operator: checkOperator });
  // As the control plane's webhook: of what is refused, nothing else is said.
  if (verdict === "checked" && errorCount(findings) === before) warnOf(object, path, findings);
  return verdict;
}

/** What is accepted and has no effect in this mesh. */
function warnOf(object: unknown, path: Path, findings: Findings): void {
  if (!isFields(object)) return;
  const { apiVersion, kind, items } = object;
  if (kind === "List" && Array.isArray(items)) {
    for (const [index, item] of items.entries()) warnOf(item, [...path, "items", index], findings);
    return;
  }
  const group = String(apiVersion).split("/")[0] ?? "";
  for (const text of warningsOf(group, String(kind), object)) {
    const colon = text.indexOf(": ");
    findings.warn([...path, ...parsePath(text.slice(0, colon))], text.slice(colon + 2), "key");
  }
}

function errorCount({ all }: Findings): number {
  return all.filter(({ severity }) => severity === "error").length;
}

function checkOperator(object: Fields, path: Path, findings: Findings): void {
  checkSchema(
    {
      type: "object",
      properties: {
        apiVersion: {},
        kind: {},
        metadata: METADATA_SCHEMA,
        spec: { type: "object", ...OPEN },
        status: {},
      },
    },
    object,
    path,
    findings,
  );
  const { spec } = object;
  if (!isFields(spec)) return;
  const read = readInstallValues([spec]);
  if (read.kind === "ok") return;
  for (const text of read.problems) {
    const colon = text.indexOf(": ");
    findings.error([...path, "spec", ...parsePath(text.slice(0, colon))], text.slice(colon + 2), "key");
  }
}

const OPEN = { "x-kubernetes-preserve-unknown-fields": true } as const;
