/** Pieces that several Gateway API kinds share (https://gateway-api.sigs.k8s.io/reference/spec/). */

import {
  type Fields,
  type IntegerSchema,
  integer,
  isFields,
  type ListSchema,
  list,
  map,
  type ObjectSchema,
  object,
  oneOf,
  type Rule,
  type Schema,
  type TextSchema,
  text,
} from "../schema/schema.ts";

export const GATEWAY_GROUP = "gateway.networking.k8s.io";

const SUBDOMAIN = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

const GROUP_PATTERN = `^$|^${SUBDOMAIN}$`;
const KIND_PATTERN = "^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$";

export function group(defaultValue?: string): TextSchema {
  const options = { maxLength: 253, pattern: GROUP_PATTERN };
  return text(defaultValue === undefined ? options : { ...options, default: defaultValue });
}

export function kind(defaultValue?: string): TextSchema {
  const options = { minLength: 1, maxLength: 63, pattern: KIND_PATTERN };
  return text(defaultValue === undefined ? options : { ...options, default: defaultValue });
}

export const OBJECT_NAME: TextSchema = text({ minLength: 1, maxLength: 253 });
export const NAMESPACE: TextSchema = text({
  minLength: 1,
  maxLength: 63,
  pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
});
export const SECTION_NAME: TextSchema = text({ minLength: 1, maxLength: 253, pattern: `^${SUBDOMAIN}$` });
/** May begin with `*.`. */
export const HOSTNAME: TextSchema = text({
  minLength: 1,
  maxLength: 253,
  pattern: `^(\\*\\.)?${SUBDOMAIN}$`,
});
export const PRECISE_HOSTNAME: TextSchema = text({ minLength: 1, maxLength: 253, pattern: `^${SUBDOMAIN}$` });
export const PORT: IntegerSchema = integer({ format: "int32", min: 1, max: 65535 });
export const CONTROLLER_NAME: TextSchema = text({
  minLength: 1,
  maxLength: 253,
  pattern: `^${SUBDOMAIN}\\/[A-Za-z0-9\\/\\-._~%!$&'()*+,;=:]+$`,
});
export const DURATION: TextSchema = text({ pattern: "^([0-9]{1,5}(h|m|s|ms)){1,4}$" });

/** `metav1.LabelSelector`. */
export const LABEL_SELECTOR: ObjectSchema = object(
  {
    matchLabels: map(text()),
    matchExpressions: list(
      object(
        { key: text(), operator: text(), values: list(text(), { listType: "atomic" }) },
        { required: ["key", "operator"] },
      ),
      { listType: "atomic" },
    ),
  },
  { extra: { "x-kubernetes-map-type": "atomic" } },
);

/** `metav1.Condition` list, unique by type. */
export function conditions(
  options: { readonly minItems?: number; readonly pending?: readonly string[] } = {},
): ListSchema {
  const condition = object(
    {
      type: text({
        maxLength: 316,
        pattern: `^(${SUBDOMAIN}/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$`,
      }),
      status: oneOf("True", "False", "Unknown"),
      reason: text({ minLength: 1, maxLength: 1024, pattern: "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$" }),
      message: text({ maxLength: 32768 }),
      lastTransitionTime: text({ format: "date-time" }),
      observedGeneration: integer({ format: "int64", min: 0 }),
    },
    { required: ["lastTransitionTime", "message", "reason", "status", "type"] },
  );
  const { minItems, pending } = options;
  return list(condition, {
    maxItems: 8,
    mapKeys: ["type"],
    ...(minItems === undefined ? {} : { minItems }),
    ...(pending === undefined ? {} : { default: pendingConditions(pending) }),
  });
}

/** What stands in a status before any controller has written it. */
export function pendingConditions(types: readonly string[]): readonly object[] {
  return types.map((type) => ({
    type,
    status: "Unknown",
    reason: "Pending",
    message: "Waiting for controller",
    lastTransitionTime: "1970-01-01T00:00:00Z",
  }));
}

/** A list of unique values, or `*` alone. */
export function valuesOrWildcard(items: Schema, maxItems: number, message: string): ListSchema {
  return list(items, {
    maxItems,
    listType: "set",
    rules: [
      {
        message,
        cel: "!('*' in self && self.size() > 1)",
        holds: (values) => !(values.includes("*") && values.length > 1),
      },
    ],
  });
}

/** Rules over lists see items that the schema says are objects. */
export function fieldsOf(items: readonly unknown[]): readonly Fields[] {
  return items.filter(isFields);
}

const BACKEND_PROPERTIES: Readonly<Record<string, Schema>> = {
  group: group(""),
  kind: kind("Service"),
  name: OBJECT_NAME,
  namespace: NAMESPACE,
  port: PORT,
};

const SERVICE_NEEDS_PORT: Rule<Fields> = {
  message: "Must have port for Service reference",
  cel: "(size(self.group) == 0 && self.kind == 'Service') ? has(self.port) : true",
  holds: (backend) =>
    (backend["group"] ?? "") !== "" ||
    (backend["kind"] ?? "Service") !== "Service" ||
    backend["port"] !== undefined,
};

/** A reference to what serves, with more properties where the kind has them. */
export function backendRef(more: Readonly<Record<string, Schema>> = {}): ObjectSchema {
  return object({ ...BACKEND_PROPERTIES, ...more }, { required: ["name"], rules: [SERVICE_NEEDS_PORT] });
}

export const WEIGHT: IntegerSchema = integer({ format: "int32", min: 0, max: 1_000_000, default: 1 });

export const PARENT_REF: ObjectSchema = object(
  {
    group: group(GATEWAY_GROUP),
    kind: kind("Gateway"),
    name: OBJECT_NAME,
    namespace: NAMESPACE,
    port: PORT,
    sectionName: SECTION_NAME,
  },
  { required: ["name"] },
);
