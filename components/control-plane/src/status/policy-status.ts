/** Writes what decide-conditions says into the status of policies, by server-side apply. Only the leader runs it. */

import {
  AUTHORIZATION_POLICIES,
  apiVersionOf,
  type CustomObject,
  createWorkQueue,
  isNotFound,
  type KubernetesClient,
  parseKey,
} from "@meltemi/kubernetes";
import type { Clock, Logger } from "@meltemi/runtime";
import type { PolicyReport } from "../compile/mesh-collections.ts";
import { decideCondition, mergeCondition, type StoredCondition } from "./decide-conditions.ts";

export interface PolicyStatusDependencies {
  readonly client: Pick<KubernetesClient, "apply">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** The verdict of a policy now; undefined when it is gone. */
  readonly report: (key: string) => PolicyReport | undefined;
  /** The policy as stored. */
  readonly stored: (key: string) => CustomObject | undefined;
}

export interface PolicyStatusWriter {
  /** The verdict, or the policy, may have changed. */
  touch(key: string): void;
  stop(): Promise<void>;
}

/** Server-side apply owns fields by this name; Istio's own, so that a control plane that takes over finds its fields. */
const FIELD_MANAGER = "pilot-discovery";
/** Writes at a time: status is not urgent, and the API server is everyone's. */
const CONCURRENCY = 4;

export function startPolicyStatus(deps: PolicyStatusDependencies): PolicyStatusWriter {
  const queue = createWorkQueue(
    { name: "policy-status", concurrency: CONCURRENCY },
    {
      clock: deps.clock,
      random: deps.random,
      log: deps.log,
      reconcile: (key, signal) => write(key, signal, deps),
    },
  );
  return { touch: (key) => queue.add(key), stop: () => queue.stop() };
}

async function write(key: string, signal: AbortSignal, deps: PolicyStatusDependencies): Promise<void> {
  const report = deps.report(key);
  const stored = deps.stored(key);
  if (report === undefined || stored === undefined) return;
  const wanted = decideCondition(report);
  const now = `${new Date(deps.clock.nowMs()).toISOString().slice(0, 19)}Z`;
  const condition = mergeCondition(findCondition(stored, wanted.type), wanted, now);
  if (condition === undefined) return;
  const { name, namespace } = parseKey(key);
  const object: CustomObject = {
    apiVersion: apiVersionOf(AUTHORIZATION_POLICIES),
    kind: AUTHORIZATION_POLICIES.kind,
    metadata: { name, namespace: namespace ?? "" },
    status: { observedGeneration: String(report.generation), conditions: [condition] },
  };
  try {
    await deps.client.apply(AUTHORIZATION_POLICIES, object, {
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

function findCondition(object: CustomObject, type: string): StoredCondition | undefined {
  const { conditions } = (object.status ?? {}) as { readonly conditions?: unknown };
  if (!Array.isArray(conditions)) return undefined;
  return (conditions as readonly Partial<StoredCondition>[]).find(
    (condition): condition is StoredCondition => condition.type === type,
  );
}
