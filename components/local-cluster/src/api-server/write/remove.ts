/** Deleting: marking, waiting for finalizers and grace periods, and removing at last. */

import { timestamp } from "../../timestamp.ts";
import { hearDeletion } from "../admission/hear.ts";
import { clone, isObject, type Json, type JsonObject, listAt, numberAt, textAt } from "../json.ts";
import { finalizersOf, isTerminating, type KubeObject, uidOf } from "../kube-object.ts";
import { badRequest, conflict, invalid, unsupported } from "../refusal.ts";
import type { Stored } from "../store/object-store.ts";
import type { Cluster, Outcome, WriteRequest } from "./context.ts";
import { commitUpdate, mayGo } from "./update.ts";

type Propagation = "Orphan" | "Background" | "Foreground";

export interface DeleteOptions {
  readonly gracePeriodSeconds: number | undefined;
  readonly propagation: Propagation | undefined;
  readonly preconditionUid: string | undefined;
  readonly preconditionRevision: string | undefined;
  readonly dryRun: boolean;
}

const ORPHAN = "orphan";
const FOREGROUND = "foregroundDeletion";

/** Options come in the body (DeleteOptions), in the query, or both; the body wins. */
export function parseDeleteOptions(body: Json | undefined, query: URLSearchParams): DeleteOptions {
  const given: JsonObject = isObject(body) ? body : {};
  const queryGrace = query.get("gracePeriodSeconds");
  const grace =
    numberAt(given, "gracePeriodSeconds") ?? (queryGrace === null ? undefined : Number(queryGrace));
  if (grace !== undefined && !Number.isInteger(grace))
    throw badRequest("gracePeriodSeconds: expected a whole number");
  const propagation = textAt(given, "propagationPolicy") ?? query.get("propagationPolicy") ?? undefined;
  const choices = ["Foreground", "Background", "Orphan"];
  if (propagation !== undefined && !choices.includes(propagation)) {
    throw invalid("", "DeleteOptions", "", [unsupported("propagationPolicy", propagation, choices)]);
  }
  const orphans = given["orphanDependents"] ?? (query.get("orphanDependents") === "true" ? true : undefined);
  return {
    gracePeriodSeconds: grace,
    propagation: (propagation as Propagation | undefined) ?? (orphans === true ? "Orphan" : undefined),
    preconditionUid: textAt(given, "preconditions", "uid"),
    preconditionRevision: textAt(given, "preconditions", "resourceVersion"),
    dryRun: listAt(given, "dryRun").includes("All") || query.getAll("dryRun").includes("All"),
  };
}

export function deleteObject(
  cluster: Cluster,
  request: WriteRequest,
  previous: Stored,
  options: DeleteOptions,
): Outcome {
  checkPreconditions(request, previous, options);
  // An eviction was heard as such, and what it comes to is not asked again.
  if (request.subresource === undefined) hearDeletion(request, previous.object, options.dryRun);
  const next = clone(previous.object);
  applyPropagation(next, options.propagation);
  const grace = graceSeconds(next, options.gracePeriodSeconds);
  markTerminating(next, grace, request.nowMs);
  const { metadata } = next;
  delete metadata["resourceVersion"];
  if (mayGo(next)) {
    // Nothing holds it: it goes without ever having been seen as terminating.
    if (!isTerminating(previous.object)) {
      delete metadata["deletionTimestamp"];
      delete metadata["deletionGracePeriodSeconds"];
    }
    if (!options.dryRun) {
      cluster.store.commit([{ kind: "remove", resource: request.key, object: next }]);
      cluster.afterCommit(request.key);
    }
    return { code: 200, object: next, removed: true };
  }
  return commitUpdate(
    cluster,
    { ...request, options: { ...request.options, dryRun: options.dryRun } },
    previous,
    next,
  );
}

function checkPreconditions(request: WriteRequest, previous: Stored, options: DeleteOptions): void {
  const uid = uidOf(previous.object);
  // Kubernetes names the kind here, not the plural.
  const { group, kind } = request.served.resource;
  const subject = { group, resource: kind, name: previous.name };
  if (options.preconditionUid !== undefined && options.preconditionUid !== uid) {
    throw conflict(
      subject,
      `the UID in the precondition (${options.preconditionUid}) does not match the UID in record (${uid}). The object might have been deleted and then recreated`,
    );
  }
  const revision = options.preconditionRevision;
  if (revision !== undefined && revision !== String(previous.revision)) {
    const why = `the ResourceVersion in the precondition (${revision}) does not match the ResourceVersion in record (${previous.revision}). The object might have been modified`;
    throw conflict(subject, why);
  }
}

/** How dependents are treated is written down as a finalizer, for the garbage collector to act on. */
function applyPropagation(object: KubeObject, propagation: Propagation | undefined): void {
  if (propagation === undefined) return;
  const others = finalizersOf(object).filter((finalizer) => finalizer !== ORPHAN && finalizer !== FOREGROUND);
  if (propagation === "Orphan") others.push(ORPHAN);
  if (propagation === "Foreground") others.push(FOREGROUND);
  if (others.length === 0) delete object.metadata["finalizers"];
  else object.metadata["finalizers"] = others;
}

/** Only pods have a grace period, and only while a kubelet runs them. */
function graceSeconds(object: KubeObject, asked: number | undefined): number {
  if (object["kind"] !== "Pod" || object["apiVersion"] !== "v1") return 0;
  const running = (textAt(object, "spec", "nodeName") ?? "") !== "";
  const phase = textAt(object, "status", "phase") ?? "";
  if (!running || phase === "Succeeded" || phase === "Failed") return 0;
  const grace = asked ?? numberAt(object, "spec", "terminationGracePeriodSeconds") ?? 30;
  // Negative means "at once but let the kubelet confirm", as in Kubernetes.
  return grace < 0 ? 1 : grace;
}

function markTerminating(object: KubeObject, grace: number, nowMs: number): void {
  const { metadata } = object;
  const running = numberAt(metadata, "deletionGracePeriodSeconds");
  if (running === undefined || !isTerminating(object) || grace < running) {
    const startMs = isTerminating(object) && running !== undefined ? deletionStartMs(object, running) : nowMs;
    metadata["deletionTimestamp"] = timestamp(startMs + grace * 1000);
    metadata["deletionGracePeriodSeconds"] = grace;
    if (typeof metadata["generation"] === "number" && running === undefined) metadata["generation"] += 1;
  }
  if (object["kind"] !== "Namespace" || object["apiVersion"] !== "v1") return;
  const status = object["status"];
  object["status"] = { ...(isObject(status) ? status : {}), phase: "Terminating" };
}

function deletionStartMs(object: KubeObject, graceSecondsSoFar: number): number {
  return Date.parse(textAt(object, "metadata", "deletionTimestamp") ?? "") - graceSecondsSoFar * 1000;
}
