/** The keywords of single values: lengths, bounds, patterns, formats. */
import { isIP, isIPv4, isIPv6 } from "node:net";
import type { Json } from "../json.ts";
import { type Cause, invalidValue } from "../refusal.ts";
import { safePattern } from "./safe-pattern.ts";
import type { Schema } from "./schema.ts";

export function stringFaults(schema: Schema, value: string, field: string): Cause[] {
  const causes: Cause[] = [];
  // Code points, not UTF-16 units.
  const length = schema.minLength === undefined && schema.maxLength === undefined ? 0 : [...value].length;
  if (schema.minLength !== undefined && length < schema.minLength) {
    causes.push(
      invalidValue(field, value, `${field} in body should be at least ${schema.minLength} chars long`),
    );
  }
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    causes.push({
      field,
      reason: "FieldValueTooLong",
      message: `Too long: may not be more than ${schema.maxLength} bytes`,
    });
  }
  if (schema.pattern !== undefined && safePattern(schema.pattern)?.(value) === false) {
    causes.push(invalidValue(field, value, `${field} in body should match '${schema.pattern}'`));
  }
  const format = schema.format === undefined ? undefined : FORMATS.get(schema.format);
  if (format !== undefined && !format(value)) {
    causes.push(
      invalidValue(
        field,
        value,
        `${field} in body must be of type ${schema.format ?? ""}: ${JSON.stringify(value)}`,
      ),
    );
  }
  return causes;
}

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/;

/** Formats that Kubernetes checks; others say something to people only. */
const FORMATS: ReadonlyMap<string, (value: string) => boolean> = new Map([
  ["date-time", (value) => /^\d{4}-\d\d-\d\d[Tt ]/.test(value) && !Number.isNaN(Date.parse(value))],
  ["date", (value) => /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value))],
  ["duration", (value) => value === "0" || DURATION.test(value)],
  ["ipv4", isIPv4],
  ["ipv6", isIPv6],
  ["ip", (value) => isIP(value) !== 0],
  ["cidr", isCidr],
  ["uuid", (value) => UUID.test(value)],
  ["byte", (value) => /^[A-Za-z0-9+/]*={0,2}$/.test(value)],
  ["uri", (value) => URL.canParse(value)],
]);

function isCidr(value: string): boolean {
  const [address = "", length = "", ...more] = value.split("/");
  const bits = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1;
  return more.length === 0 && /^\d{1,3}$/.test(length) && Number(length) <= bits;
}

export function numberFaults(schema: Schema, value: number, field: string): Cause[] {
  const causes: Cause[] = [];
  const { minimum, maximum, multipleOf } = schema;
  if (minimum !== undefined && (value < minimum || (schema.exclusiveMinimum === true && value === minimum))) {
    const bound = schema.exclusiveMinimum === true ? "greater than" : "greater than or equal to";
    causes.push(invalidValue(field, value, `${field} in body should be ${bound} ${minimum}`));
  }
  if (maximum !== undefined && (value > maximum || (schema.exclusiveMaximum === true && value === maximum))) {
    const bound = schema.exclusiveMaximum === true ? "less than" : "less than or equal to";
    causes.push(invalidValue(field, value, `${field} in body should be ${bound} ${maximum}`));
  }
  if (multipleOf !== undefined && multipleOf > 0 && !Number.isInteger(value / multipleOf)) {
    causes.push(invalidValue(field, value, `${field} in body should be a multiple of ${multipleOf}`));
  }
  const range = schema.format === undefined ? undefined : INTEGER_BITS.get(schema.format);
  if (range !== undefined && Math.abs(value) > range) {
    causes.push(invalidValue(field, value, `${field} in body must be of type ${schema.format ?? ""}`));
  }
  return causes;
}

const INTEGER_BITS: ReadonlyMap<string, number> = new Map([
  ["int32", 2 ** 31],
  ["int64", 2 ** 63],
]);

export function listFaults(schema: Schema, value: readonly Json[], field: string): Cause[] {
  const causes: Cause[] = [];
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    causes.push(
      invalidValue(field, value.length, `${field} in body should have at least ${schema.minItems} items`),
    );
  }
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    causes.push({
      field,
      reason: "FieldValueTooMany",
      message: `Too many: ${value.length}: must have at most ${schema.maxItems} items`,
    });
  }
  return causes;
}
