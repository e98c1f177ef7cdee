/** IST0106: objects against their definitions, as `validate` checks them. */

import { Findings, formatPath } from "@meltemi/validation";
import { checkObject } from "../validate/check-object.ts";
import type { AnalysisContext, Analyzer } from "./analyzer.ts";
import { type Message, message } from "./message.ts";

function* analyzeSchemas({ objects }: AnalysisContext): Generator<Message> {
  for (const object of objects.everything()) {
    const findings = new Findings();
    if (checkObject(object.raw, [], findings) === "foreign") continue;
    for (const { severity, path, problem } of findings.all)
      if (severity === "error")
        yield message(
          "schemaValidationError",
          object,
          `Schema validation error: ${formatPath(path)}: ${problem}`,
        );
  }
}

export const SCHEMA_ANALYZER: Analyzer = {
  name: "schema.ValidationAnalyzer",
  about: "objects that do not fit their definition",
  analyze: analyzeSchemas,
};
