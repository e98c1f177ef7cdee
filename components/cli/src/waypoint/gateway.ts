/** The Gateway object of a waypoint, and what one says of itself (reference: l7-and-cli §1.2, §3.2). Pure. */

import type { Condition, Gateway } from "@meltemi/kubernetes";
import { MeshError } from "@meltemi/runtime";

export const WAYPOINT_CLASS = "istio-waypoint";
export const FOR_LABEL = "istio.io/waypoint-for";
export const USE_LABEL = "istio.io/use-waypoint";
export const REVISION_LABEL = "istio.io/rev";
const DEFAULT_NAME = "waypoint";
const HIGH_AVAILABILITY_ANNOTATION = "meltemi.io/high-availability";

const TRAFFIC_TYPES = ["all", "none", "service", "workload"] as const;

/** `--for`: a kind of traffic, or one service that is to be served. */
export interface Purpose {
  /** Undefined: no label is written, and the class decides. */
  readonly trafficType: string | undefined;
  /** Name of the service of `service/<name>`. */
  readonly service: string | undefined;
}

/** Throws INPUT_INVALID for anything else, in Istio's words. */
export function readPurpose(text: string | undefined): Purpose {
  if (text === undefined) return { trafficType: undefined, service: undefined };
  const service = /^service\/([a-z]([-a-z0-9]{0,61}[a-z0-9])?)$/.exec(text)?.[1];
  if (service !== undefined) return { trafficType: "service", service };
  if (TRAFFIC_TYPES.some((type) => type === text)) return { trafficType: text, service: undefined };
  throw new MeshError(
    "INPUT_INVALID",
    `invalid traffic type: ${text}. Valid options are: [${TRAFFIC_TYPES.join(" ")}], or service/<name> for one service`,
  );
}

/** Empty is the default. Throws INPUT_INVALID for `none`, which as a label's value means no waypoint. */
export function readName(text: string | undefined): string {
  if (text === "none")
    throw new MeshError("INPUT_INVALID", "invalid name provided for waypoint, 'none' is a reserved value");
  return text || DEFAULT_NAME;
}

export interface GatewayOptions {
  readonly name: string;
  /** Undefined: whoever applies it decides. */
  readonly namespace: string | undefined;
  readonly trafficType: string | undefined;
  readonly revision: string | undefined;
  readonly highAvailability: boolean;
}

export function waypointGateway(options: GatewayOptions): Gateway {
  const { name, namespace, trafficType, revision } = options;
  const labels = {
    ...(trafficType !== undefined && { [FOR_LABEL]: trafficType }),
    ...(revision !== undefined && { [REVISION_LABEL]: revision }),
  };
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: {
      ...(options.highAvailability && { annotations: { [HIGH_AVAILABILITY_ANNOTATION]: "true" } }),
      ...(Object.keys(labels).length > 0 && { labels }),
      name,
      ...(namespace !== undefined && { namespace }),
    },
    spec: {
      gatewayClassName: WAYPOINT_CLASS,
      listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
    },
  };
}

export function isWaypoint(gateway: Gateway): boolean {
  return gateway.spec?.gatewayClassName === WAYPOINT_CLASS;
}

/** The condition that says whether it can be used; while there is none, the last one that there is. */
export function programmedCondition(gateway: Gateway): Condition | undefined {
  const conditions = gateway.status?.conditions ?? [];
  return conditions.find(({ type }) => type === "Programmed") ?? conditions.at(-1);
}

/** Ready as it is now: what was said of an earlier form does not count. */
export function isProgrammed(gateway: Gateway): boolean {
  const condition = gateway.status?.conditions?.find(({ type }) => type === "Programmed");
  if (condition?.status !== "True") return false;
  return (condition.observedGeneration ?? 0) >= (gateway.metadata?.generation ?? 0);
}

/**
 * What a waypoint that is not ready waits for. Until its first pod is there its condition says in Istio's words that no address could
 * be assigned, which reads like a failure and is the way of every start.
 */
export function waitingText(gateway: Gateway): string {
  const condition = programmedCondition(gateway);
  if (condition === undefined) return "no controller has looked at it yet";
  const isOld = (condition.observedGeneration ?? 0) < (gateway.metadata?.generation ?? 0);
  if (isOld) return "its controller has not looked at its present form yet";
  const isStarting =
    condition.reason === "AddressNotAssigned" &&
    /no instances found for hostname|hostname "[^"]*" not found/.test(condition.message ?? "");
  return isStarting ? "none of its pods is ready yet" : (condition.message ?? condition.reason ?? "");
}

export function formatWaypoint(gateway: Gateway): string {
  return `${gateway.metadata?.namespace}/${gateway.metadata?.name}`;
}
