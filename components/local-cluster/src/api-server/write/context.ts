/** What every write knows: who asks, for which resource, with which options. */
import type { Hearing } from "../admission/hearing.ts";
import type { ManagerIdentity } from "../apply/managers.ts";
import type { Authorize } from "../identity/attempt.ts";
import type { UserInfo } from "../identity/user.ts";
import type { KubeObject } from "../kube-object.ts";
import { badRequest, invalid, type Subject, unsupported } from "../refusal.ts";
import type { Registry, Served } from "../registry.ts";
import { apiVersionOf, type Subresource } from "../resources/resource.ts";
import type { ObjectStore } from "../store/object-store.ts";

export type FieldValidation = "Ignore" | "Warn" | "Strict";

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
  /** Who the changed fields are credited to (managedFields). */
  readonly fieldManager: string;
  readonly force: boolean;
}

export interface WriteRequest {
  readonly served: Served;
  /** `<group>/<plural>` */
  readonly key: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: Subresource | undefined;
  readonly options: WriteOptions;
  readonly user: UserInfo;
  readonly nowMs: number;
  /** Told to the client as Warning headers. */
  readonly warnings: string[];
  /** Lets the write wait for admission webhooks. The server's own writes do not. */
  readonly hearing?: Hearing;
}

export interface Cluster {
  readonly store: ObjectStore;
  readonly registry: Registry;
  readonly randomName: () => string;
  readonly newUid: () => string;
  /** Changes and checks that need other objects: admission. May change the object it is given; true when webhooks did. */
  readonly admit: (request: WriteRequest, object: KubeObject, previous: KubeObject | undefined) => boolean;
  /** Told of every resource that was written. */
  readonly afterCommit: (key: string) => void;
  /** What only the finished object shows: that its writer may grant what it grants. Changes nothing. */
  readonly confirm: (request: WriteRequest, object: KubeObject, previous: KubeObject | undefined) => void;
  readonly authorize: Authorize;
}

/** Longer manager names are refused by Kubernetes too. */
const MAX_MANAGER_LENGTH = 128;

export function writeOptions(query: URLSearchParams, userAgent: string): WriteOptions {
  const dryRuns = query.getAll("dryRun").filter((value) => value !== "");
  if (dryRuns.some((value) => value !== "All")) {
    throw invalid("meta.k8s.io", "CreateOptions", "", [unsupported("dryRun", dryRuns, ["All"])]);
  }
  const validation = query.get("fieldValidation") ?? "";
  if (!["", "Ignore", "Warn", "Strict"].includes(validation)) {
    throw invalid("meta.k8s.io", "CreateOptions", "", [
      unsupported("fieldValidation", validation, ["Ignore", "Warn", "Strict"]),
    ]);
  }
  const manager = query.get("fieldManager") ?? "";
  if (manager.length > MAX_MANAGER_LENGTH)
    throw badRequest(`fieldManager: expected at most ${MAX_MANAGER_LENGTH} characters`);
  return {
    dryRun: dryRuns.length > 0,
    fieldValidation: validation === "" ? "Warn" : (validation as FieldValidation),
    fieldManager: manager === "" ? defaultManager(userAgent) : manager,
    force: query.get("force") === "true",
  };
}

/** Clients that name no manager are known by the first word of their user agent, as in Kubernetes. */
function defaultManager(userAgent: string): string {
  return (userAgent.split("/")[0] ?? "").slice(0, MAX_MANAGER_LENGTH) || "unknown";
}

export function subjectOf(request: Pick<WriteRequest, "served">, name: string): Subject {
  const { group, plural } = request.served.resource;
  return { group, resource: plural, name };
}

/** Whether a write credits its changes to its manager, or brings finished books along (server-side apply). */
export type Bookkeeping = "track" | "kept";

export function managerOf(request: WriteRequest, operation: "Apply" | "Update"): ManagerIdentity {
  const { resource, version } = request.served;
  return {
    name: request.options.fieldManager,
    operation,
    apiVersion: apiVersionOf(resource.group, version.name),
    subresource: request.subresource ?? "",
  };
}

/** What a write did. `stored` is the new state, `removed` says that the object is gone now. */
export interface Outcome {
  readonly code: number;
  readonly object: KubeObject;
  readonly removed: boolean;
}
