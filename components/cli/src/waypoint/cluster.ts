/** Waypoints in a cluster: looked up, awaited, labelled. */

import {
  GATEWAYS,
  type Gateway,
  isNotFound,
  type KubernetesClient,
  NAMESPACES,
  type ObjectRef,
  type ResourceType,
} from "@meltemi/kubernetes";
import { type Clock, delay, MeshError } from "@meltemi/runtime";
import { explainWorkload } from "../install/look-at-pods.ts";
import type { Terminal } from "../output/terminal.ts";
import { formatWaypoint, isProgrammed, isWaypoint, USE_LABEL, waitingText } from "./gateway.ts";

export interface ClusterDependencies {
  readonly client: KubernetesClient;
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const FIELD_MANAGER = "istioctl";
/** As `install` looks: somebody waits for the answer. */
const LOOK_EVERY_MS = 200;

/** Namespace undefined: all. */
export async function findWaypoints(
  namespace: string | undefined,
  { client, signal }: Pick<ClusterDependencies, "client" | "signal">,
): Promise<readonly Gateway[]> {
  try {
    const { items } = await client.list(GATEWAYS, { namespace, signal });
    return items.filter(isWaypoint);
  } catch (error) {
    throw isNotFound(error) ? missingDefinitions(error) : error;
  }
}

function missingDefinitions(cause: unknown): MeshError {
  return new MeshError(
    "NOT_FOUND",
    "missing Kubernetes Gateway CRDs need to be installed before applying a waypoint: `istioctl install` brings them, or see https://gateway-api.sigs.k8s.io",
    { cause },
  );
}

/** Server-side apply. A missing namespace and a cluster without Gateway API are told apart. */
export async function applyGateway(gateway: Gateway, deps: ClusterDependencies): Promise<void> {
  const { client, signal } = deps;
  try {
    await client.apply(GATEWAYS, gateway, { fieldManager: FIELD_MANAGER, signal });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    const name = gateway.metadata?.namespace ?? "";
    if ((await client.get(NAMESPACES, { name }, { signal })) === undefined)
      throw new MeshError("NOT_FOUND", `namespace ${name} not found`);
    throw missingDefinitions(error);
  }
}

/** Throws TIMEOUT, with what is missing, when they are not all ready in time. Returns them as they are then. */
export async function awaitProgrammed(
  find: () => Promise<readonly Gateway[]>,
  timeoutMs: number,
  deps: ClusterDependencies,
): Promise<readonly Gateway[]> {
  const { clock, terminal, signal } = deps;
  const deadlineMs = clock.monotonicMs() + timeoutMs;
  for (;;) {
    const waypoints = await find();
    const late = waypoints.filter((gateway) => !isProgrammed(gateway));
    if (late.length === 0) {
      terminal.progressEnd();
      return waypoints;
    }
    const [first] = late;
    const why = first === undefined ? "" : waitingText(first);
    if (clock.monotonicMs() >= deadlineMs)
      throw new MeshError(
        "TIMEOUT",
        [
          `timed out while waiting for waypoint\t${late.map(formatWaypoint).join(", ")}: ${why}`,
          ...(first === undefined ? [] : await podTroubles(first, deps)).map((text) => `  ${text}`),
        ].join("\n"),
      );
    terminal.progress(`- Waiting for waypoint ${late.map(formatWaypoint).join(", ")}: ${why}`);
    await delay(clock, LOOK_EVERY_MS, signal);
  }
}

/** Why its pods are not ready; nothing when it has none of ours. */
function podTroubles(gateway: Gateway, { client, signal }: ClusterDependencies): Promise<readonly string[]> {
  const { name = "", namespace = "" } = gateway.metadata ?? {};
  const deployment = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name, namespace } };
  return explainWorkload(deployment, client, signal);
}

/** Labels an object so that it uses the waypoint of that name in its own namespace. */
export async function bindToWaypoint(
  type: ResourceType,
  ref: ObjectRef,
  name: string,
  { client, signal }: ClusterDependencies,
): Promise<void> {
  // A namespace that an earlier label named would send the new name elsewhere.
  const labels = { [USE_LABEL]: name, [`${USE_LABEL}-namespace`]: null };
  const body = { metadata: { labels } };
  await client.patch(type, ref, { kind: "merge", body }, { fieldManager: FIELD_MANAGER, signal });
}
