/** Writes conditions into the status of objects by server-side apply. Only the leader runs it. */

import {
  apiVersionOf,
  type CustomObject,
  createWorkQueue,
  isNotFound,
  type KubernetesClient,
  nameOf,
  namespaceOf,
  type ResourceType,
} from "@meltemi/kubernetes";
import type { Clock, Logger } from "@meltemi/runtime";
import { type ConditionContent, conditionsOf, formatTime, mergeConditions } from "./condition.ts";

/** An object whose status is to be kept. */
export interface StatusSubject {
  readonly type: ResourceType<CustomObject>;
  /** As stored now. */
  readonly object: CustomObject;
  readonly conditions: readonly ConditionContent[];
  /** Condition types that are this writer's. */
  readonly owned: readonly string[];
  /** Fields of the status beside the conditions. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface StatusWriterDependencies {
  readonly client: Pick<KubernetesClient, "apply">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** Undefined when the object is gone. */
  readonly subject: (key: string) => StatusSubject | undefined;
}

export interface StatusWriter {
  /** What the status says, or the object, may have changed. */
  touch(key: string): void;
  stop(): Promise<void>;
}

/** Server-side apply owns fields by this name; Istio's own, so that a control plane that takes over finds its fields. */
const FIELD_MANAGER = "pilot-discovery";
/** Writes at a time: status is not urgent, and the API server is everyone's. */
const CONCURRENCY = 4;

export function startStatusWriter(name: string, deps: StatusWriterDependencies): StatusWriter {
  const queue = createWorkQueue(
    { name, concurrency: CONCURRENCY },
    {
      clock: deps.clock,
      random: deps.random,
      log: deps.log,
      reconcile: (key, signal) => write(key, signal, deps),
    },
  );
  return { touch: (key) => queue.add(key), stop: () => queue.stop() };
}

async function write(key: string, signal: AbortSignal, deps: StatusWriterDependencies): Promise<void> {
  const subject = deps.subject(key);
  if (subject === undefined) return;
  const { type, object, owned, fields } = subject;
  const now = formatTime(deps.clock.nowMs());
  const conditions = mergeConditions(conditionsOf(object.status), subject.conditions, owned, now);
  if (conditions === undefined) return;
  const namespace = namespaceOf(object);
  const applied: CustomObject = {
    apiVersion: apiVersionOf(type),
    kind: type.kind,
    metadata: { name: nameOf(object), ...(namespace !== "" && { namespace }) },
    status: conditions.length > 0 ? { ...fields, conditions } : fields,
  };
  try {
    await deps.client.apply(type, applied, {
      fieldManager: FIELD_MANAGER,
      force: true,
      subresource: "status",
      signal,
    });
  } catch (error) {
    // Deleted meanwhile.
    if (!isNotFound(error)) throw error;
  }
}
