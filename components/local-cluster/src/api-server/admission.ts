/** Checks and changes that need other objects than the one being written: namespaces, accounts, priorities, addresses. */
import { hearMutating } from "./admission/hear.ts";
import { type JsonObject, textAt } from "./json.ts";
import { isTerminating, type KubeObject } from "./kube-object.ts";
import { forbidden, notFound } from "./refusal.ts";
import { admitPod } from "./resources/pod-admission.ts";
import { admitService, type ServiceRanges } from "./resources/service-addresses.ts";
import type { ObjectStore } from "./store/object-store.ts";
import { subjectOf, type WriteRequest } from "./write/context.ts";

export interface AdmissionOptions {
  readonly ranges: ServiceRanges;
}

/** May change the object that it is given; true when webhooks did. @throws Refusal */
export type Admit = (request: WriteRequest, object: KubeObject, previous: KubeObject | undefined) => boolean;

export function createAdmission(options: AdmissionOptions, store: ObjectStore): Admit {
  return (request, object, previous) => {
    if (previous === undefined) refuseWithoutNamespace(request, object, store);
    const whole = request.subresource === undefined;
    if (whole && previous === undefined && isCore(object, "Pod")) admitPod(object, store);
    const changed = hearMutating(request, object, previous);
    // After the webhooks: they may choose the type of the Service, and with it whether it has an address.
    if (whole && isCore(object, "Service")) admitService(options.ranges, object, previous, store);
    return changed;
  };
}

function isCore(object: KubeObject, kind: string): boolean {
  return object["apiVersion"] === "v1" && object["kind"] === kind;
}

/** Namespaces that hold the cluster itself together. */
const PERMANENT = new Set(["default", "kube-system", "kube-public"]);

/** @throws Refusal 403 for the namespaces that the cluster cannot do without */
export function refusePermanent(request: WriteRequest, name: string): void {
  if (request.key === "/namespaces" && PERMANENT.has(name)) {
    throw forbidden(subjectOf(request, name), "this namespace may not be deleted");
  }
}

function refuseWithoutNamespace(request: WriteRequest, object: KubeObject, store: ObjectStore): void {
  if (request.namespace === undefined || !request.served.resource.namespaced) return;
  const namespace = store.get("/namespaces", "", request.namespace);
  if (namespace === undefined) throw notFound({ group: "", resource: "namespaces", name: request.namespace });
  if (!isTerminating(namespace.object)) return;
  const why = `unable to create new content in namespace ${request.namespace} because it is being terminated`;
  const refusal = forbidden(subjectOf(request, textAt(object, "metadata", "name") ?? ""), why);
  const details = refusal.status["details"] as JsonObject;
  details["causes"] = [
    {
      reason: "NamespaceTerminating",
      message: `namespace ${request.namespace} is being terminated`,
      field: "metadata.namespace",
    },
  ];
  throw refusal;
}
