/** One object of the API against what is known of its kind. Pure. */

import { checkSchema, isFields, type OpenApiSchema } from "./check-schema.ts";
import { withDefaults } from "./defaults.ts";
import { type Findings, shown } from "./findings.ts";
import { type KnownKind, lookUpKind } from "./kinds.ts";
import { type Path, parsePath } from "./path.ts";

type Fields = Readonly<Record<string, unknown>>;

/** `checked`: against all its fields; `frame`: its fields are not known here; `foreign`: not a kind of the mesh. */
export type Verdict = "checked" | "frame" | "foreign";

/** RFC 1123 subdomain, as names of these kinds are (Kubernetes, "object names and IDs"). */
const NAME: OpenApiSchema = {
  type: "string",
  maxLength: 253,
  pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
};
const TEXTS: OpenApiSchema = { type: "object", additionalProperties: { type: "string" } };
const ANYTHING: OpenApiSchema = {};
const LABEL_VALUE: OpenApiSchema = {
  type: "string",
  maxLength: 63,
  pattern: "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
};

/** `metav1.ObjectMeta`; what the API server sets is taken as it comes. */
export const METADATA_SCHEMA: OpenApiSchema = {
  type: "object",
  properties: {
    name: NAME,
    generateName: { type: "string" },
    namespace: { type: "string", maxLength: 63, pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" },
    labels: { type: "object", additionalProperties: LABEL_VALUE },
    annotations: TEXTS,
    finalizers: { type: "array", items: { type: "string" } },
    ownerReferences: { type: "array", items: ANYTHING },
    creationTimestamp: ANYTHING,
    deletionGracePeriodSeconds: ANYTHING,
    deletionTimestamp: ANYTHING,
    generation: ANYTHING,
    managedFields: ANYTHING,
    resourceVersion: ANYTHING,
    selfLink: ANYTHING,
    uid: ANYTHING,
  },
};

/** Checks of kinds that are in no cluster, and that who calls may know. */
export interface OtherKinds {
  /** An IstioOperator; absent: it is foreign. */
  readonly operator?: (object: Fields, path: Path, findings: Findings) => void;
}

/** Adds all that is wrong with the object to `findings`, up to their bound. */
export function checkObject(
  object: unknown,
  path: Path,
  findings: Findings,
  others: OtherKinds = {},
): Verdict {
  if (!isFields(object)) {
    findings.error(path, `expected an object of the API, got ${shown(object)}`);
    return "checked";
  }
  const lookup = lookUpKind(object["apiVersion"], object["kind"]);
  switch (lookup.kind) {
    case "foreign":
      return "foreign";
    case "wrong":
      findings.error([...path, lookup.field], lookup.problem);
      return "checked";
    case "list":
      return checkItems(object["items"], path, findings, others);
    case "operator":
      others.operator?.(object, path, findings);
      return others.operator === undefined ? "foreign" : "checked";
    case "known":
      checkKnown(lookup.known, lookup.schema, object, path, findings);
      return lookup.known.isOpen ? "frame" : "checked";
    default:
      return lookup satisfies never;
  }
}

function checkItems(items: unknown, path: Path, findings: Findings, others: OtherKinds): Verdict {
  if (!Array.isArray(items)) {
    findings.error([...path, "items"], `expected a list, got ${shown(items)}`);
    return "checked";
  }
  const verdicts = items.map((item, index) =>
    // A List in a List is nothing the API server gives or takes.
    isFields(item) && item["kind"] === "List"
      ? "foreign"
      : checkObject(item, [...path, "items", index], findings, others),
  );
  return verdicts.find((verdict) => verdict === "frame") ?? "checked";
}

function checkKnown(
  known: KnownKind,
  schema: OpenApiSchema,
  object: Fields,
  path: Path,
  findings: Findings,
): void {
  const properties = { ...schema.properties, metadata: METADATA_SCHEMA, status: ANYTHING };
  const whole: OpenApiSchema = { ...schema, properties, required: ["metadata", ...(schema.required ?? [])] };
  const filled = withDefaults(schema, object);
  const sound = checkSchema(whole, filled, path, findings);
  const namedSoundly = checkNames(known, object["metadata"], path, findings);
  if (!sound || !namedSoundly) return;
  const parsed = known.parse?.(filled);
  if (parsed?.kind === "invalid") {
    for (const { path: text, problem } of parsed.problems)
      findings.error([...path, ...parsePath(text)], problem);
    return;
  }
  known.rules?.((filled as Fields)["spec"] ?? {}, [...path, "spec"], findings);
}

function checkNames(known: KnownKind, metadata: unknown, path: Path, findings: Findings): boolean {
  if (!isFields(metadata)) return false;
  if (typeof metadata["name"] !== "string" && typeof metadata["generateName"] !== "string") {
    if (metadata["name"] === undefined || metadata["name"] === null)
      findings.error([...path, "metadata", "name"], "expected a value, got nothing");
    return false;
  }
  if (!known.namespaced && metadata["namespace"] !== undefined)
    findings.error([...path, "metadata", "namespace"], `expected no namespace: ${known.kind} is not in one`);
  return true;
}
