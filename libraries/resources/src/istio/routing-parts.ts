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
