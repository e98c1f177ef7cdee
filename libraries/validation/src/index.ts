export { compileRule } from "./cel-rules.ts";
export { checkObject, METADATA_SCHEMA, type OtherKinds, type Verdict } from "./check-object.ts";
export { checkSchema, isFields, type OpenApiSchema } from "./check-schema.ts";
export { type Finding, Findings, shown } from "./findings.ts";
export { KNOWN_KINDS, type KnownKind } from "./kinds.ts";
export { formatPath, type Path, parsePath } from "./path.ts";
export { nearestName, suggestion } from "./suggest.ts";
export { warningsOf } from "./warnings.ts";
