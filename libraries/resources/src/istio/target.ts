/** What a policy applies to, in the schema and in meaning: a selector, target references, or the whole namespace. */

import { fieldsAt, fieldsList, textAt } from "../parse-object.ts";
import {
  type Fields,
  has,
  list,
  map,
  type ObjectSchema,
  object,
  type Rule,
  type Schema,
  text,
} from "../schema/schema.ts";

export interface TargetRef {
  /** Empty for the core group. */
  readonly group: string;
  readonly kind: string;
  readonly name: string;
}

export type PolicyTarget =
  /** Everything in the policy's namespace; in the root namespace, everything in the mesh. */
  | { readonly kind: "namespace" }
  | { readonly kind: "selector"; readonly labels: ReadonlyMap<string, string> }
  | { readonly kind: "references"; readonly references: readonly TargetRef[] };

/** `spec.selector` of the security kinds. */
export const SELECTOR: ObjectSchema = object({
  matchLabels: map(
    text({
      maxLength: 63,
      rules: [
        {
          message: "wildcard not allowed in label value match",
          cel: '!self.contains("*")',
          holds: (value) => !value.includes("*"),
        },
      ],
    }),
    {
      maxProperties: 4096,
      rules: [
        {
          message: "wildcard not allowed in label key match",
          cel: 'self.all(key, !key.contains("*"))',
          holds: (labels) => Object.keys(labels).every((key) => !key.includes("*")),
        },
        {
          message: "key must not be empty",
          cel: "self.all(key, key.size() != 0)",
          holds: (labels) => !Object.hasOwn(labels, ""),
        },
      ],
    },
  ),
});

const TARGET_REF: ObjectSchema = object(
  {
    group: text({
      maxLength: 253,
      pattern: "^$|^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    }),
    kind: text({ minLength: 1, maxLength: 63, pattern: "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$" }),
    name: text({ minLength: 1, maxLength: 253 }),
    namespace: text({
      rules: [
        {
          message: "cross namespace referencing is not currently supported",
          cel: "self.size() == 0",
          holds: (value) => value.length === 0,
        },
      ],
    }),
  },
  { required: ["kind", "name"] },
);

/** `selector`, `targetRef` (the older form) and `targetRefs` of a spec. */
export const TARGET_PROPERTIES: Readonly<Record<"selector" | "targetRef" | "targetRefs", Schema>> = {
  selector: SELECTOR,
  targetRef: TARGET_REF,
  targetRefs: list(TARGET_REF, { maxItems: 16 }),
};

export const ONE_TARGET: Rule<Fields> = {
  message: "only one of targetRefs or selector can be set",
  cel: "[has(self.selector), has(self.targetRef), has(self.targetRefs)].filter(set, set).size() <= 1",
  holds: (spec) => ["selector", "targetRef", "targetRefs"].filter((name) => has(spec, name)).length <= 1,
};

/** Reads a spec that satisfies {@link TARGET_PROPERTIES} and {@link ONE_TARGET}. */
export function readTarget(spec: Fields): PolicyTarget {
  const one = fieldsAt(spec, "targetRef");
  const references = one === undefined ? fieldsList(spec, "targetRefs") : [one];
  if (references.length > 0) return { kind: "references", references: references.map(readReference) };
  const selector = fieldsAt(spec, "selector");
  if (selector === undefined) return { kind: "namespace" };
  return { kind: "selector", labels: readLabels(fieldsAt(selector, "matchLabels")) };
}

function readReference(reference: Fields): TargetRef {
  return {
    group: textAt(reference, "group") ?? "",
    kind: textAt(reference, "kind") ?? "",
    name: textAt(reference, "name") ?? "",
  };
}

/** A map that the schema says is one of text. */
export function readLabels(labels: Fields | undefined): ReadonlyMap<string, string> {
  return new Map(Object.entries(labels ?? {}) as [string, string][]);
}
