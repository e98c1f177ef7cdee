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
} from "@meltemi/validation";
import { readInstallValues } from "../manifests/values.ts";

type Fields = Readonly<Record<string, unknown>>;

export function checkObject(object: unknown, path: Path, findings: Findings): Verdict {
  return checkMeshObject(object, path, findings, { operator: checkOperator });
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
