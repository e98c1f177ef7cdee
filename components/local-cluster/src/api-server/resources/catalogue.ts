/**
 * The built-in resources. To add one: name its type in `tools/generate-kubernetes-schemas.ts`, add a row to the `…-rows.ts`
 * of its group, and, where it needs them, columns, defaults and validation beside this file.
 */
import { APPS } from "./apps-rows.ts";
import { NAME_AND_AGE } from "./columns.ts";
import { CORE } from "./core-rows.ts";
import { dnsSubdomain } from "./names.ts";
import { OTHERS } from "./other-rows.ts";
import type { Resource, ScalePaths } from "./resource.ts";
import type { Row } from "./row.ts";

const REPLICAS: ScalePaths = {
  specReplicas: ["spec", "replicas"],
  statusReplicas: ["status", "replicas"],
  selector: ["spec", "selector"],
};

/** Every built-in resource. */
export const BUILT_IN_RESOURCES: readonly Resource[] = [...CORE, ...APPS, ...OTHERS].map(resourceOf);

function resourceOf(row: Row): Resource {
  const group = row.group ?? "";
  const version = row.version ?? "v1";
  const schemaPackage = row.schemaPackage ?? `io.k8s.api.${group === "" ? "core" : group}.${version}`;
  const subresources = row.subresources ?? [];
  return {
    group,
    kind: row.kind,
    plural: row.plural,
    singular: row.kind.toLowerCase(),
    shortNames: row.shortNames ?? [],
    categories: row.categories ?? [],
    namespaced: row.cluster !== true,
    storageVersion: version,
    custom: false,
    versions: [
      {
        name: version,
        served: true,
        schema: { $ref: `${schemaPackage}.${row.kind}` },
        columns: row.columns ?? NAME_AND_AGE,
        subresources,
        ...(subresources.includes("scale") ? { scale: REPLICAS } : {}),
      },
    ],
    selectableFields: row.fields ?? {},
    rules: { countsGenerations: false, checkName: dnsSubdomain, ...row.rules },
    ...(row.storageForm === undefined ? {} : { storageForm: row.storageForm }),
  };
}
