/** Pieces that VirtualService, DestinationRule and Telemetry share. */

import { parseDurationMs } from "@meltemi/runtime";
import {
  type Fields,
  has,
  type IntegerSchema,
  integer,
  type ListSchema,
  list,
  type MapSchema,
  map,
  type ObjectSchema,
  object,
  type Rule,
  type TextSchema,
  text,
} from "../schema/schema.ts";

/** `1h30m`, `0.5s`. */
export const DURATION: TextSchema = text({
  maxLength: 64,
  rules: [{ message: "must be a valid duration", holds: (value) => parseDurationMs(value) !== undefined }],
});

/** Names of gateways, hosts, labels. */
export const NAME: TextSchema = text({ minLength: 1, maxLength: 1024 });
export const NAMES: ListSchema = list(NAME, { maxItems: 4096 });
export const TEXT_MAP: MapSchema = map(text({ maxLength: 16 * 1024 }), { maxProperties: 1024 });
/** Written into the head of a message: a line end would end it. */
const ONE_LINE: Rule<string> = {
  message: "must not hold CR, LF or NUL",
  holds: (value) => !/[\r\n\0]/.test(value),
};

export function line(maxLength: number): TextSchema {
  return text({ maxLength, rules: [ONE_LINE] });
}

/** A field name of HTTP (RFC 9110 §5.1). */
export const FIELD_NAME: TextSchema = text({
  minLength: 1,
  maxLength: 1024,
  pattern: "^[-!#$%&'*+.^_`|~0-9A-Za-z]+$",
});
export const LINES: ListSchema = list(line(1024), { maxItems: 1024 });

/** The keys of a map are field names, pseudo headers among them. */
export const FIELD_NAME_KEYS: Rule<Fields> = {
  message: "keys must be header names",
  holds: (value) => Object.keys(value).every((name) => /^:?[-!#$%&'*+.^_`|~0-9A-Za-z]{1,1024}$/.test(name)),
};

export const PORT: IntegerSchema = integer({ min: 0, max: 65_535 });
export const UINT32: IntegerSchema = integer({ min: 0, max: 4_294_967_295 });

/** At most one of the fields. */
export function atMostOne(...names: readonly string[]): Rule<Fields> {
  return {
    message: `at most one of ${names.join(", ")} can be set`,
    holds: (value) => names.filter((name) => has(value, name)).length <= 1,
  };
}

/** None of the fields: it must only be there. */
export interface StringMatchSpec {
  readonly exact?: string;
  readonly prefix?: string;
  readonly regex?: string;
}

const MATCH_TEXT: TextSchema = text({ maxLength: 16 * 1024 });

export const STRING_MATCH: ObjectSchema = object(
  { exact: MATCH_TEXT, prefix: MATCH_TEXT, regex: MATCH_TEXT },
  { rules: [atMostOne("exact", "prefix", "regex")] },
);

export interface PercentSpec {
  readonly value?: number;
}
