/** `status` of Istio's kinds: conditions and validation messages, open for more. */

import { INTEGER_OR_TEXT, list, type ObjectSchema, object, oneOf, text } from "../schema/schema.ts";

export const ISTIO_STATUS: ObjectSchema = object(
  {
    conditions: list(
      object({
        type: text(),
        status: text(),
        reason: text(),
        message: text(),
        lastProbeTime: text({ format: "date-time" }),
        lastTransitionTime: text({ format: "date-time" }),
        observedGeneration: INTEGER_OR_TEXT,
      }),
    ),
    observedGeneration: INTEGER_OR_TEXT,
    validationMessages: list(
      object({
        documentationUrl: text(),
        level: oneOf("UNKNOWN", "ERROR", "WARNING", "INFO"),
        type: object({ code: text(), name: text() }),
      }),
    ),
  },
  { open: true },
);
