/** What a rule of a route matches: paths, headers, query parameters, methods. */

import {
  type Fields,
  has,
  type ListSchema,
  list,
  type ObjectSchema,
  object,
  oneOf,
  type Rule,
  type TextSchema,
  text,
} from "../schema/schema.ts";
import { HEADER_NAME, METHODS } from "./filters.ts";

const MATCH_TYPE: TextSchema = { ...oneOf("Exact", "RegularExpression"), default: "Exact" };

function namedMatches(maxLength: number): ListSchema {
  return list(
    object(
      { type: MATCH_TYPE, name: HEADER_NAME, value: text({ minLength: 1, maxLength }) },
      { required: ["name", "value"] },
    ),
    { maxItems: 16, mapKeys: ["name"] },
  );
}

const LITERAL_TYPES = ["Exact", "PathPrefix"];

/** Rules of paths that are compared as they are, not as expressions. */
function literalPath(message: string, cel: string, holds: (path: string) => boolean): Rule<Fields> {
  return {
    message: `${message} when type one of ['Exact', 'PathPrefix']`,
    cel: `self.type in ['Exact','PathPrefix'] ? ${cel} : true`,
    holds: ({ type = "PathPrefix", value = "/" }) =>
      !LITERAL_TYPES.includes(String(type)) || holds(String(value)),
  };
}

/** Pieces that another normalization may read differently. */
const AMBIGUOUS = ["//", "/./", "/../", "%2f", "%2F", "#"];
const PATH_CHARACTERS = "^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$";

const PATH_MATCH: ObjectSchema = object(
  {
    type: { ...oneOf("Exact", "PathPrefix", "RegularExpression"), default: "PathPrefix" },
    value: text({ maxLength: 1024, default: "/" }),
  },
  {
    default: { type: "PathPrefix", value: "/" },
    rules: [
      literalPath("value must be an absolute path and start with '/'", "self.value.startsWith('/')", (path) =>
        path.startsWith("/"),
      ),
      ...AMBIGUOUS.map((piece) =>
        literalPath(
          `must not contain '${piece}'`,
          `!self.value.contains('${piece}')`,
          (path) => !path.includes(piece),
        ),
      ),
      ...["/..", "/."].map((end) =>
        literalPath(
          `must not end with '${end}'`,
          `!self.value.endsWith('${end}')`,
          (path) => !path.endsWith(end),
        ),
      ),
      literalPath(
        "must only contain the characters of a path",
        `self.value.matches(r"""${PATH_CHARACTERS}""")`,
        (path) => new RegExp(PATH_CHARACTERS).test(path),
      ),
    ],
  },
);

export const HTTP_MATCH: ObjectSchema = object({
  path: PATH_MATCH,
  headers: namedMatches(4096),
  queryParams: namedMatches(1024),
  method: oneOf(...METHODS),
});

const GRPC_METHOD_MATCH: ObjectSchema = object(
  { type: MATCH_TYPE, service: text({ maxLength: 1024 }), method: text({ maxLength: 1024 }) },
  {
    rules: [
      {
        message: "One or both of 'service' or 'method' must be specified",
        cel: "has(self.service) || has(self.method)",
        holds: (match) => has(match, "service") || has(match, "method"),
      },
      exactName("service", "^\\.?[A-Za-z_][A-Za-z_0-9]*(\\.[A-Za-z_][A-Za-z_0-9]*)*$"),
      exactName("method", "^[A-Za-z_][A-Za-z_0-9]*$"),
    ],
  },
);

function exactName(field: "service" | "method", pattern: string): Rule<Fields> {
  return {
    message: `${field} must only contain valid characters (matching ${pattern})`,
    cel: `has(self.${field}) && (!has(self.type) || self.type == 'Exact') ? self.${field}.matches(r"""${pattern}""") : true`,
    holds: (match) =>
      !has(match, field) ||
      (match["type"] ?? "Exact") !== "Exact" ||
      new RegExp(pattern).test(String(match[field])),
  };
}

export const GRPC_MATCH: ObjectSchema = object({ method: GRPC_METHOD_MATCH, headers: namedMatches(4096) });
