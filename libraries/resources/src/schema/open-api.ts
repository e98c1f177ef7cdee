/** A schema as the OpenAPI v3 structure that a CustomResourceDefinition carries. */

import { unreachable } from "@meltemi/runtime";
import type { Fields, ObjectSchema, Rule, Schema } from "./schema.ts";

/** Plain JSON. Constraints that are absent leave no key. */
export function openApi(schema: Schema): Fields {
  switch (schema.kind) {
    case "text":
      return compact({
        type: "string",
        minLength: schema.minLength,
        maxLength: schema.maxLength,
        pattern: schema.pattern,
        format: schema.format,
        enum: schema.oneOf,
        default: schema.default,
        ...validations(schema.rules),
      });
    case "integer":
      return compact({
        type: "integer",
        format: schema.format,
        minimum: schema.min,
        maximum: schema.max,
        default: schema.default,
        ...validations(schema.rules),
      });
    case "decimal":
      return compact({ type: "number", minimum: schema.min, maximum: schema.max });
    case "flag":
      return compact({ type: "boolean", default: schema.default });
    case "object":
      return objectOpenApi(schema);
    case "list":
      return compact({
        type: "array",
        items: openApi(schema.items),
        minItems: schema.minItems,
        maxItems: schema.maxItems,
        default: schema.default,
        "x-kubernetes-list-type": schema.mapKeys === undefined ? schema.listType : "map",
        "x-kubernetes-list-map-keys": schema.mapKeys,
        ...validations(schema.rules),
      });
    case "map":
      return compact({
        type: "object",
        additionalProperties: openApi(schema.values),
        minProperties: schema.minProperties,
        maxProperties: schema.maxProperties,
        ...validations(schema.rules),
      });
    case "integerOrText":
      return { anyOf: [{ type: "integer" }, { type: "string" }], "x-kubernetes-int-or-string": true };
    default:
      return unreachable(schema);
  }
}

function objectOpenApi(schema: ObjectSchema): Fields {
  const properties = Object.entries(schema.properties).map(
    ([name, inner]) => [name, openApi(inner)] as const,
  );
  return compact({
    type: "object",
    properties: properties.length === 0 ? undefined : Object.fromEntries(properties),
    required: schema.required,
    default: schema.default,
    "x-kubernetes-preserve-unknown-fields": schema.open === true ? true : undefined,
    ...schema.extra,
    ...validations(schema.rules),
  });
}

function validations(rules: readonly Pick<Rule<never>, "message" | "cel">[] | undefined): Fields {
  const said = rules?.filter(({ cel }) => cel !== undefined) ?? [];
  if (said.length === 0) return {};
  return { "x-kubernetes-validations": said.map(({ message, cel }) => ({ message, rule: cel })) };
}

function compact(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
