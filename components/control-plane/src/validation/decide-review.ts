/** An AdmissionReview of the API server → what it is answered (Kubernetes, "Dynamic Admission Control"; admission.k8s.io/v1 and v1beta1). Pure. */

import {
  checkObject,
  Findings,
  formatPath,
  KNOWN_KINDS,
  type KnownKind,
  warningsOf,
} from "@meltemi/validation";
import { sameValue } from "../compile/same-value.ts";

type Fields = Readonly<Record<string, unknown>>;

export interface ReviewAnswer {
  readonly apiVersion: string;
  readonly kind: "AdmissionReview";
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    /** The API server chooses code and reason, as for Istio: tools know its words by them. */
    readonly status?: { readonly message: string };
    readonly warnings?: readonly string[];
  };
}

export type ReviewDecision =
  /** `known`: of which kind the object is; undefined for one that is not checked here. */
  | { readonly kind: "answer"; readonly answer: ReviewAnswer; readonly known: KnownKind | undefined }
  /** No review at all: `problem` says what was expected. */
  | { readonly kind: "malformed"; readonly problem: string };

const VERSIONS: readonly unknown[] = ["admission.k8s.io/v1", "admission.k8s.io/v1beta1"];
/** `metadata.uid` has 36 characters; what is longer was not made by an API server. */
const MAX_UID_CHARACTERS = 256;
/** As many as a person mends in one go; kubectl prints them in one line. */
const MAX_PROBLEMS = 20;
/** Warnings become headers of an answer, which the API server cuts at 4 KiB together. */
const MAX_WARNINGS = 12;
const MAX_WARNING_CHARACTERS = 256;
const MAX_MESSAGE_CHARACTERS = 8 * 1024;

/** `review` is the parsed body: anything at all. */
export function decideReview(review: unknown): ReviewDecision {
  const { apiVersion, request } = fieldsOf(review);
  if (typeof apiVersion !== "string" || !VERSIONS.includes(apiVersion))
    return malformed("apiVersion", VERSIONS.join(" or "));
  const fields = fieldsOf(request);
  const { uid } = fields;
  if (typeof uid !== "string" || uid === "" || uid.length > MAX_UID_CHARACTERS)
    return malformed("request.uid", `text of 1 to ${MAX_UID_CHARACTERS} characters`);
  const { group, kind } = fieldsOf(fields["kind"]);
  if (typeof group !== "string" || typeof kind !== "string")
    return malformed("request.kind", "text as group and kind");
  const known = KNOWN_KINDS.find((each) => each.group === group && each.kind === kind);
  const { problems, warnings } = judge(fields, known);
  const response = { uid, allowed: problems.length === 0, ...refusal(problems), ...told(warnings) };
  return { kind: "answer", known, answer: { apiVersion, kind: "AdmissionReview", response } };
}

interface Judgement {
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

function judge(request: Fields, known: KnownKind | undefined): Judgement {
  const { operation, object, oldObject } = request;
  if (operation !== "CREATE" && operation !== "UPDATE") return { problems: [], warnings: [] };
  if (known === undefined)
    return {
      problems: [],
      warnings: ["this control plane does not know the kind, and has not checked the object"],
    };
  const problems = problemsOf(fieldsOf(object), known);
  const warnings = problems.length > 0 ? [] : warningsOf(known.group, known.kind, fieldsOf(object));
  // What is there already must stay mendable: finalizers and labels of an object that rules of later times refuse.
  if (operation === "UPDATE" && (isLeaving(object) || hasSameSpec(object, oldObject)))
    return { problems: [], warnings: [...problems, ...warnings] };
  return { problems, warnings };
}

/** Of metadata only what people write; the rest is the API server's own, of any version. */
function problemsOf(object: Fields, known: KnownKind): readonly string[] {
  const { name, generateName, namespace, labels, annotations } = fieldsOf(object["metadata"]);
  const written = Object.entries({ name, generateName, namespace, labels, annotations });
  const metadata = Object.fromEntries(written.filter(([, value]) => value !== undefined));
  const findings = new Findings();
  checkObject(
    { ...object, apiVersion: servedVersion(object["apiVersion"], known), kind: known.kind, metadata },
    [],
    findings,
  );
  return findings.all.map(({ path, problem }) => `${formatPath(path)}: ${problem}`);
}

/** A definition of somebody else may have versions that ours has not; the mesh reads the object in its own. */
function servedVersion(apiVersion: unknown, { group, schemas }: KnownKind): string {
  const [first = ""] = schemas.keys();
  const version = typeof apiVersion === "string" ? apiVersion.slice(apiVersion.indexOf("/") + 1) : "";
  return `${group}/${schemas.has(version) ? version : first}`;
}

function isLeaving(object: unknown): boolean {
  return typeof fieldsOf(fieldsOf(object)["metadata"])["deletionTimestamp"] === "string";
}

function hasSameSpec(object: unknown, oldObject: unknown): boolean {
  return sameValue(fieldsOf(object)["spec"], fieldsOf(oldObject)["spec"]);
}

function refusal(problems: readonly string[]): Pick<ReviewAnswer["response"], "status"> {
  if (problems.length === 0) return {};
  const shown = problems.slice(0, MAX_PROBLEMS).join("; ");
  const more = problems.length > MAX_PROBLEMS ? `; and ${problems.length - MAX_PROBLEMS} more` : "";
  const message = `configuration is invalid: ${cut(shown, MAX_MESSAGE_CHARACTERS)}${more}`;
  return { status: { message } };
}

function told(warnings: readonly string[]): Pick<ReviewAnswer["response"], "warnings"> {
  if (warnings.length === 0) return {};
  return { warnings: warnings.slice(0, MAX_WARNINGS).map((warning) => cut(warning, MAX_WARNING_CHARACTERS)) };
}

function cut(text: string, maxCharacters: number): string {
  return text.length > maxCharacters ? `${text.slice(0, maxCharacters - 1)}…` : text;
}

function malformed(field: string, expected: string): ReviewDecision {
  return { kind: "malformed", problem: `read AdmissionReview: ${field}: expected ${expected}` };
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}
