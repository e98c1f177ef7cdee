/** AdmissionReview (admission.k8s.io/v1): the question as it is sent, and the answer as it is read. Pure. */
import { type UserInfo, userInfoJson } from "../identity/user.ts";
import { at, isObject, type Json, type JsonObject, listAt, numberAt, textAt } from "../json.ts";
import type { KubeObject } from "../kube-object.ts";
import { Refusal } from "../refusal.ts";
import type { Served } from "../registry.ts";
import { inVersion } from "../render.ts";
import type { Attributes } from "./match.ts";

export interface ReviewContext {
  readonly uid: string;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions. */
  readonly options: JsonObject;
}

/** The `request` of a review, in the version that the webhook asked for. */
export function reviewRequest(attributes: Attributes, version: Served, context: ReviewContext): JsonObject {
  const { served, subresource, namespace, name, operation, object, oldObject } = attributes;
  const shown = (one: KubeObject | undefined): Json =>
    one === undefined ? null : attributes.kind === undefined ? inVersion(version, one) : one;
  const sub = subresource === "" ? {} : { subResource: subresource };
  const requestSub = subresource === "" ? {} : { requestSubResource: subresource };
  return {
    uid: context.uid,
    kind: kindOf(version, attributes),
    resource: resourceOf(version),
    ...sub,
    requestKind: kindOf(served, attributes),
    requestResource: resourceOf(served),
    ...requestSub,
    ...(name === "" ? {} : { name }),
    ...(namespace === "" ? {} : { namespace }),
    operation,
    userInfo: userInfoJson(context.user),
    object: shown(object),
    oldObject: shown(oldObject),
    dryRun: context.dryRun,
    options: context.options,
  };
}

function kindOf({ resource, version }: Served, { kind }: Attributes): JsonObject {
  if (kind !== undefined) return { ...kind };
  return { group: resource.group, version: version.name, kind: resource.kind };
}

function resourceOf({ resource, version }: Served): JsonObject {
  return { group: resource.group, version: version.name, resource: resource.plural };
}

export function reviewBody(request: JsonObject): string {
  return JSON.stringify({ kind: "AdmissionReview", apiVersion: "admission.k8s.io/v1", request });
}

export type ReviewAnswer =
  | { readonly kind: "allowed"; readonly patch: Json[] | undefined; readonly warnings: readonly string[] }
  | { readonly kind: "denied"; readonly refusal: Refusal; readonly warnings: readonly string[] }
  /** Not an answer to this question: counts as a failed call. */
  | { readonly kind: "bad"; readonly why: string };

/** More warnings than a client shows. */
const MAX_WARNINGS = 16;

/** Reads a webhook's answer to the review `uid`. Only a mutating webhook may patch. */
export function readAnswer(
  text: string,
  webhook: { readonly name: string; readonly mayPatch: boolean },
  uid: string,
): ReviewAnswer {
  const review = parse(text);
  if (!isObject(review)) return { kind: "bad", why: "expected an AdmissionReview in JSON" };
  const fault = faultOf(review, uid);
  if (fault !== undefined) return { kind: "bad", why: fault };
  const response = at(review, "response");
  const warnings = listAt(response, "warnings")
    .filter((warning) => typeof warning === "string")
    .slice(0, MAX_WARNINGS);
  if (at(response, "allowed") !== true) {
    return { kind: "denied", refusal: denial(webhook.name, at(response, "status")), warnings };
  }
  const patch = patchOf(response, webhook.mayPatch);
  return patch.kind === "bad" ? patch : { kind: "allowed", patch: patch.operations, warnings };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    // No JSON: no review either.
    return undefined;
  }
}

function faultOf(review: JsonObject, uid: string): string | undefined {
  const [apiVersion, kind] = [textAt(review, "apiVersion") ?? "", textAt(review, "kind") ?? ""];
  if (apiVersion !== "admission.k8s.io/v1" || kind !== "AdmissionReview") {
    return `expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${apiVersion}, Kind=${kind}`;
  }
  const response = at(review, "response");
  if (!isObject(response)) return "webhook response was absent";
  const own = textAt(response, "uid") ?? "";
  return own === uid ? undefined : `expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(own)}`;
}

type Patch =
  | { readonly kind: "patch"; readonly operations: Json[] | undefined }
  | { readonly kind: "bad"; readonly why: string };

function patchOf(response: Json | undefined, mayPatch: boolean): Patch {
  const encoded = textAt(response, "patch") ?? "";
  const type = textAt(response, "patchType") ?? "";
  if (encoded === "" && type === "") return { kind: "patch", operations: undefined };
  if (!mayPatch)
    return { kind: "bad", why: "a validating webhook, or one asked about a deletion, may not patch" };
  if (type !== "JSONPatch")
    return {
      kind: "bad",
      why: `webhook returned response.patch with patchType ${JSON.stringify(type)}, expected "JSONPatch"`,
    };
  const operations = parse(Buffer.from(encoded, "base64").toString("utf8"));
  return Array.isArray(operations)
    ? { kind: "patch", operations: operations as Json[] }
    : { kind: "bad", why: "webhook returned response.patch that is no list of JSON patch operations" };
}

/** Kubernetes' wording; the webhook chooses code, reason and details. */
function denial(name: string, result: Json | undefined): Refusal {
  const denied = `admission webhook ${JSON.stringify(name)} denied the request`;
  const message = textAt(result, "message") ?? "";
  const reason = textAt(result, "reason") ?? "";
  const why = message === "" ? reason : message;
  const code = numberAt(result, "code") ?? 0;
  const details = at(result, "details");
  return new Refusal(
    Number.isInteger(code) && code >= 400 && code <= 599 ? code : 400,
    reason,
    why === "" ? `${denied} without explanation` : `${denied}: ${why}`,
    isObject(details) ? details : {},
  );
}
