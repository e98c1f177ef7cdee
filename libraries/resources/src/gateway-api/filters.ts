/** Filters of HTTPRoute and GRPCRoute. */

import { unreachable } from "@meltemi/runtime";
import {
  type Fields,
  flag,
  has,
  integer,
  type ListSchema,
  list,
  type ObjectSchema,
  object,
  oneOf,
  type Rule,
  type Schema,
  type TextSchema,
  text,
} from "../schema/schema.ts";
import {
  backendRef,
  fieldsOf,
  group,
  kind,
  OBJECT_NAME,
  PORT,
  PRECISE_HOSTNAME,
  valuesOrWildcard,
} from "./common.ts";

/** RFC 9110 token. */
export const HEADER_NAME: TextSchema = text({
  minLength: 1,
  maxLength: 256,
  pattern: "^[A-Za-z0-9!#$%&'*+\\-.^_\\x60|~]+$",
});

export const METHODS: readonly string[] = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
];

/** Written into the head of a message: a line end would end it. */
const ONE_LINE: Rule<string> = {
  message: "must not hold CR, LF or NUL",
  holds: (value) => !/[\r\n\0]/.test(value),
};

const HEADER_VALUES: ListSchema = list(
  object(
    {
      name: HEADER_NAME,
      value: text({
        minLength: 1,
        maxLength: 4096,
        rules: [ONE_LINE],
      }),
    },
    { required: ["name", "value"] },
  ),
  { maxItems: 16, mapKeys: ["name"] },
);

const HEADER_MODIFIER: ObjectSchema = object({
  set: HEADER_VALUES,
  add: HEADER_VALUES,
  remove: list(HEADER_NAME, { maxItems: 16, listType: "set" }),
});

const MIRROR: ObjectSchema = object(
  {
    backendRef: backendRef(),
    percent: integer({ format: "int32", min: 0, max: 100 }),
    fraction: object(
      {
        numerator: integer({ format: "int32", min: 0 }),
        denominator: integer({ format: "int32", min: 1, default: 100 }),
      },
      {
        required: ["numerator"],
        rules: [
          {
            message: "numerator must be less than or equal to denominator",
            cel: "self.numerator <= self.denominator",
            holds: ({ numerator, denominator }) => Number(numerator) <= Number(denominator ?? 100),
          },
        ],
      },
    ),
  },
  {
    required: ["backendRef"],
    rules: [
      {
        message: "Only one of percent or fraction may be specified in HTTPRequestMirrorFilter",
        cel: "!(has(self.percent) && has(self.fraction))",
        holds: (mirror) => !(has(mirror, "percent") && has(mirror, "fraction")),
      },
    ],
  },
);

/** The field is there exactly when `type` asks for it. */
function fieldForType(field: string, type: string, needed: string, refused: string): readonly Rule<Fields>[] {
  return [
    {
      message: needed,
      cel: `self.type == '${type}' ? has(self.${field}) : true`,
      holds: (value) => value["type"] !== type || has(value, field),
    },
    {
      message: refused,
      cel: `has(self.${field}) ? self.type == '${type}' : true`,
      holds: (value) => !has(value, field) || value["type"] === type,
    },
  ];
}

function pathRules(field: string, type: string): readonly Rule<Fields>[] {
  return fieldForType(
    field,
    type,
    `${field} must be specified when type is set to '${type}'`,
    `type must be '${type}' when ${field} is set`,
  );
}

const PATH_MODIFIER: ObjectSchema = object(
  {
    type: oneOf("ReplaceFullPath", "ReplacePrefixMatch"),
    replaceFullPath: text({ maxLength: 1024, rules: [ONE_LINE] }),
    replacePrefixMatch: text({ maxLength: 1024, rules: [ONE_LINE] }),
  },
  {
    required: ["type"],
    rules: [
      ...pathRules("replaceFullPath", "ReplaceFullPath"),
      ...pathRules("replacePrefixMatch", "ReplacePrefixMatch"),
    ],
  },
);

const REDIRECT_CODES = [301, 302, 303, 307, 308];

const REDIRECT: ObjectSchema = object({
  scheme: oneOf("http", "https"),
  hostname: PRECISE_HOSTNAME,
  path: PATH_MODIFIER,
  port: PORT,
  statusCode: integer({
    default: 302,
    rules: [
      {
        message: "statusCode must be one of 301, 302, 303, 307, 308",
        cel: `self in [${REDIRECT_CODES.join(", ")}]`,
        holds: (code) => REDIRECT_CODES.includes(code),
      },
    ],
  }),
});

const REWRITE: ObjectSchema = object({ hostname: PRECISE_HOSTNAME, path: PATH_MODIFIER });

const EXTENSION_REF: ObjectSchema = object(
  { group: group(), kind: kind(), name: OBJECT_NAME },
  { required: ["group", "kind", "name"] },
);

const CORS: ObjectSchema = object({
  allowCredentials: flag(),
  allowOrigins: valuesOrWildcard(
    text({
      minLength: 1,
      maxLength: 253,
      pattern:
        "(^\\*$)|(^(http(s)?):\\/\\/(((\\*\\.)?([a-zA-Z0-9\\-]+\\.)*[a-zA-Z0-9-]+|\\*)(:([0-9]{1,5}))?)$)",
    }),
    64,
    "AllowOrigins cannot contain '*' alongside other origins",
  ),
  allowMethods: valuesOrWildcard(
    oneOf(...METHODS, "*"),
    9,
    "AllowMethods cannot contain '*' alongside other methods",
  ),
  allowHeaders: valuesOrWildcard(HEADER_NAME, 64, "AllowHeaders cannot contain '*' alongside other methods"),
  exposeHeaders: list(HEADER_NAME, { maxItems: 64, listType: "set" }),
  maxAge: integer({ format: "int32", min: 1, default: 5 }),
});

export type FilterType =
  | "RequestHeaderModifier"
  | "ResponseHeaderModifier"
  | "RequestMirror"
  | "RequestRedirect"
  | "URLRewrite"
  | "CORS"
  | "ExtensionRef";

function filterField(type: FilterType): readonly [string, Schema] {
  switch (type) {
    case "RequestHeaderModifier":
      return ["requestHeaderModifier", HEADER_MODIFIER];
    case "ResponseHeaderModifier":
      return ["responseHeaderModifier", HEADER_MODIFIER];
    case "RequestMirror":
      return ["requestMirror", MIRROR];
    case "RequestRedirect":
      return ["requestRedirect", REDIRECT];
    case "URLRewrite":
      return ["urlRewrite", REWRITE];
    case "CORS":
      return ["cors", CORS];
    case "ExtensionRef":
      return ["extensionRef", EXTENSION_REF];
    default:
      return unreachable(type);
  }
}

/** These may stand more than once. */
const REPEATABLE: ReadonlySet<FilterType> = new Set(["RequestMirror", "ExtensionRef"]);

/** A list of filters of the given types: each carries the field of its type, and most may stand once. */
export function filters(...types: readonly FilterType[]): ListSchema {
  const fields = types.map((type) => ({ type, field: filterField(type)[0], schema: filterField(type)[1] }));
  const filter = object(
    { type: oneOf(...types), ...Object.fromEntries(fields.map(({ field, schema }) => [field, schema])) },
    {
      required: ["type"],
      rules: fields.flatMap(({ type, field }) =>
        fieldForType(
          field,
          type,
          `filter.${field} must be specified for ${type} filter.type`,
          `filter.${field} must be nil if the filter.type is not ${type}`,
        ),
      ),
    },
  );
  const once = types.filter((type) => !REPEATABLE.has(type)).map(unrepeated);
  const rules = types.includes("URLRewrite") ? [NOT_BOTH, ...once] : once;
  return list(filter, { maxItems: 16, listType: "atomic", rules });
}

function unrepeated(type: FilterType): Rule<readonly unknown[]> {
  return {
    message: `${type} filter cannot be repeated`,
    cel: `self.filter(f, f.type == '${type}').size() <= 1`,
    holds: (values) => fieldsOf(values).filter((value) => value["type"] === type).length <= 1,
  };
}

const NOT_BOTH: Rule<readonly unknown[]> = {
  message: "May specify either httpRouteFilterRequestRedirect or httpRouteFilterRequestRewrite, but not both",
  cel: "!(self.exists(f, f.type == 'RequestRedirect') && self.exists(f, f.type == 'URLRewrite'))",
  holds: (values) => {
    const types = fieldsOf(values).map((value) => value["type"]);
    return !(types.includes("RequestRedirect") && types.includes("URLRewrite"));
  },
};
