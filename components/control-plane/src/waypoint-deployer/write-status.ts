/** Status of Gateways and GatewayClasses, by server-side apply, and only when it says something new. */

import {
  apiVersionOf,
  type Condition,
  GATEWAY_CLASSES,
  GATEWAYS,
  type Gateway,
  type GatewayClass,
  isNotFound,
  type KubernetesClient,
  nameOf,
  namespaceOf,
} from "@meltemi/kubernetes";
import type { Clock } from "@meltemi/runtime";
import { sameValue } from "../compile/same-value.ts";
import {
  type ConditionContent,
  conditionsOf,
  formatTime,
  mergeCondition,
  mergeConditions,
} from "../status/condition.ts";
import { decideClassConditions } from "./gateway-class.ts";
import type { GatewayStatus } from "./gateway-status.ts";
import { FIELD_MANAGER } from "./write-objects.ts";

export interface StatusDependencies {
  readonly client: Pick<KubernetesClient, "apply">;
  readonly clock: Clock;
}

export async function writeGatewayStatus(
  gateway: Gateway,
  wanted: GatewayStatus,
  deps: StatusDependencies,
  signal: AbortSignal,
): Promise<void> {
  const now = formatTime(deps.clock.nowMs());
  const stored = gateway.status;
  const status: NonNullable<Gateway["status"]> = {
    ...(wanted.addresses.length > 0 && { addresses: wanted.addresses }),
    // No `attachedListenerSets`: older definitions of Gateway API refuse what they do not know, and none is what it means.
    conditions: timed(stored?.conditions, wanted.conditions, now),
    listeners: wanted.listeners.map((listener) => ({
      ...listener,
      conditions: timed(
        stored?.listeners?.find(({ name }) => name === listener.name)?.conditions,
        listener.conditions,
        now,
      ),
    })),
  };
  const types = wanted.conditions.map(({ type }) => type);
  const comparable = {
    ...(stored?.addresses !== undefined && { addresses: stored.addresses }),
    conditions: types.map((type) => stored?.conditions?.find((condition) => condition.type === type)),
    listeners: stored?.listeners,
  };
  if (sameValue(status, comparable)) return;
  const metadata = { name: nameOf(gateway), namespace: namespaceOf(gateway) };
  const object = { apiVersion: apiVersionOf(GATEWAYS), kind: GATEWAYS.kind, metadata, status };
  await unlessGone(deps.client.apply(GATEWAYS, object, options(signal)));
}

export async function writeClassStatus(
  gatewayClass: GatewayClass,
  deps: StatusDependencies,
  signal: AbortSignal,
): Promise<void> {
  const now = formatTime(deps.clock.nowMs());
  const stored = conditionsOf(gatewayClass.status);
  const conditions = mergeConditions(stored, decideClassConditions(gatewayClass), ["Accepted"], now);
  if (conditions === undefined) return;
  const object: GatewayClass = {
    apiVersion: apiVersionOf(GATEWAY_CLASSES),
    kind: GATEWAY_CLASSES.kind,
    metadata: { name: nameOf(gatewayClass) },
    status: { conditions: conditions as readonly Condition[] },
  };
  await unlessGone(deps.client.apply(GATEWAY_CLASSES, object, options(signal)));
}

function options(signal: AbortSignal) {
  return { fieldManager: FIELD_MANAGER, force: true, subresource: "status", signal } as const;
}

function timed(
  stored: readonly Condition[] | undefined,
  wanted: readonly ConditionContent[],
  now: string,
): readonly Condition[] {
  const known = conditionsOf({ conditions: stored });
  return wanted.map(
    (content) =>
      mergeCondition(
        known.find(({ type }) => type === content.type),
        content,
        now,
      ) as Condition,
  );
}

/** Deleted meanwhile is as good as written. */
async function unlessGone(write: Promise<unknown>): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
