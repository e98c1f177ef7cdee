/** CustomResourceDefinition manifests from schemas. */

import { openApi } from "./schema/open-api.ts";
import { type Fields, type ObjectSchema, object, type Schema, text } from "./schema/schema.ts";

export interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "date" | "integer";
  readonly jsonPath: string;
  /** Above zero only with `-o wide`. */
  readonly priority?: number;
}

export interface Definition {
  readonly group: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames?: readonly string[];
  readonly categories: readonly string[];
  readonly scope?: "Namespaced" | "Cluster";
  /** The first is stored; all have the same schema. */
  readonly versions: readonly string[];
  readonly columns?: readonly PrinterColumn[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec: ObjectSchema;
  readonly specRequired?: boolean;
  /** Undefined leaves the kind without status. */
  readonly status: Schema | undefined;
}

export const AGE: PrinterColumn = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" };

/** Plain JSON, ready to be applied. */
export function manifestOf(definition: Definition): Fields {
  const { group, kind, plural, shortNames, categories, labels, annotations } = definition;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: `${plural}.${group}`,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
    },
    spec: {
      group,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        categories,
        ...(shortNames === undefined ? {} : { shortNames }),
      },
      scope: definition.scope ?? "Namespaced",
      versions: definition.versions.map((name, index) => version(definition, name, index === 0)),
    },
  };
}

function version(definition: Definition, name: string, storage: boolean): Fields {
  const { columns, spec, status } = definition;
  const root = object(
    {
      apiVersion: text(),
      kind: text(),
      metadata: object({}),
      spec,
      ...(status === undefined ? {} : { status }),
    },
    definition.specRequired === true ? { required: ["spec"] } : {},
  );
  return {
    name,
    served: true,
    storage,
    ...(columns === undefined ? {} : { additionalPrinterColumns: columns }),
    schema: { openAPIV3Schema: openApi(root) },
    ...(status === undefined ? {} : { subresources: { status: {} } }),
  };
}

/** A spec that is passed through as it is: kinds whose meaning is not read here. */
export const PERMISSIVE_SPEC: ObjectSchema = object({}, { open: true });
