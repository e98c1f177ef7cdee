/** TCPRoute and TLSRoute, of Gateway API's experimental channel. */

import { list, type ObjectSchema, object } from "../schema/schema.ts";
import { backendRef, HOSTNAME, SECTION_NAME, WEIGHT } from "./common.ts";
import { PARENT_REFS } from "./routes.ts";

const RULES = list(
  object(
    {
      name: SECTION_NAME,
      backendRefs: list(backendRef({ weight: WEIGHT }), { minItems: 1, maxItems: 16, listType: "atomic" }),
    },
    { required: ["backendRefs"] },
  ),
  { minItems: 1, maxItems: 16, listType: "atomic" },
);

export const TCP_ROUTE_SPEC: ObjectSchema = object(
  { parentRefs: PARENT_REFS, rules: RULES },
  { required: ["rules"] },
);

export const TLS_ROUTE_SPEC: ObjectSchema = object(
  {
    parentRefs: PARENT_REFS,
    hostnames: list(HOSTNAME, { maxItems: 16, listType: "atomic" }),
    rules: RULES,
  },
  { required: ["rules"] },
);
