/** Fields that are absent, as the API server fills them in before it checks an object; one that is null is absent too. Pure. */

import { isFields, type OpenApiSchema } from "./check-schema.ts";

export function withDefaults(schema: OpenApiSchema, value: unknown): unknown {
  if (Array.isArray(value)) {
    const { items, maxItems = Number.POSITIVE_INFINITY } = schema;
    // A list that is too long is refused as it is: nothing is filled in.
    return items === undefined || value.length > maxItems
      ? value
      : value.map((item) => withDefaults(items, item));
  }
  if (!isFields(value)) return value;
  const filled: Record<string, unknown> = Object.create(null);
  for (const [name, inner] of Object.entries(value)) {
    if (inner === null || inner === undefined) continue;
    const property = propertyOf(schema, name) ?? schema.additionalProperties;
    filled[name] = property === undefined ? inner : withDefaults(property, inner);
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (property.default !== undefined && filled[name] === undefined)
      filled[name] = withDefaults(property, property.default);
  }
  return filled;
}

function propertyOf(schema: OpenApiSchema, name: string): OpenApiSchema | undefined {
  return schema.properties !== undefined && Object.hasOwn(schema.properties, name)
    ? schema.properties[name]
    : undefined;
}
