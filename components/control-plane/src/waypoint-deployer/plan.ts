/** What to do about a Gateway: the choice, and nothing else (reference: l7-and-cli §1.2, §1.7, §1.8). Pure. */

import type { ConfigMap, Gateway, GatewayClass, KubernetesObject, Namespace } from "@meltemi/kubernetes";
import { describeError } from "@meltemi/runtime";
import { isWaypointGateway } from "./gateway-class.ts";
import { highAvailabilityPatches, wantsHighAvailability } from "./high-availability.ts";
import { annotationOf, CONTROLLER_VERSION_ANNOTATION, waypointMetadata } from "./metadata.ts";
import { applyOverlay, readOverlays } from "./overlays.ts";
import { PARTS, type Part, renderPart } from "./render.ts";
import { PROXY_CONTAINER } from "./render-pod.ts";
import type { DeployerSettings } from "./settings.ts";
import { isTree, strategicMerge, type Tree } from "./strategic-merge.ts";

/** Written on Gateways; a controller with a larger number has them. Istio's number. */
export const CONTROLLER_VERSION = 5;

/** `spec.infrastructure.parametersRef` and what it names. */
export type Parameters =
  | { readonly kind: "none" }
  | { readonly kind: "unsupported"; readonly group: string; readonly refKind: string }
  | { readonly kind: "missing"; readonly name: string }
  | { readonly kind: "found"; readonly map: ConfigMap };

export interface GatewayView {
  readonly gateway: Gateway;
  readonly namespace: Namespace | undefined;
  /** The Service which says that {@link askedRevision} is a tag, and of what; undefined when it is a revision's own name. */
  readonly tag: KubernetesObject | undefined;
  readonly gatewayClass: GatewayClass | undefined;
  readonly classDefaults: ConfigMap | undefined;
  readonly parameters: Parameters;
}

export interface PlannedObject {
  readonly part: Part;
  readonly object: Tree;
}

export type GatewayPlan =
  /** Of another controller, another revision, or on its way out: nothing is written. */
  | { readonly kind: "foreign" }
  /** Its addresses say that it is deployed by somebody else: only status is written. */
  | { readonly kind: "unmanaged" }
  | { readonly kind: "deploy"; readonly objects: readonly PlannedObject[] }
  /** It cannot be rendered; what is there stays. */
  | { readonly kind: "refused"; readonly problem: string };

export function planGateway(view: GatewayView, settings: DeployerSettings): GatewayPlan {
  if (!isOurs(view, settings)) return { kind: "foreign" };
  if (!isManaged(view.gateway)) return { kind: "unmanaged" };
  const { parameters } = view;
  if (settings.image === undefined)
    return { kind: "refused", problem: "WAYPOINT_IMAGE of the control plane is not set" };
  if (parameters.kind === "unsupported" || parameters.kind === "missing")
    return { kind: "refused", problem: describeParameters(parameters, view.gateway) };
  try {
    return { kind: "deploy", objects: renderGateway(view, settings) };
  } catch (error) {
    return { kind: "refused", problem: describeError(error) };
  }
}

const REVISION_LABEL = "istio.io/rev";
export const TAG_LABEL = "istio.io/tag";

/** Revision or tag: of the Gateway, else of its namespace, else the default one (reference: l7-and-cli §8.3 TestOtherRevisionIgnored). */
export function askedRevision(gateway: Gateway, namespace: Namespace | undefined): string {
  return (
    gateway.metadata?.labels?.[REVISION_LABEL] || namespace?.metadata?.labels?.[REVISION_LABEL] || "default"
  );
}

/** Of the Service that `istioctl tag set` and `revisionTags` make. */
export function tagServiceName(tag: string): string {
  return `istiod-revision-tag-${tag}`;
}

/** A tag wins over a revision of the same name: `default` is made to stand for another one so. */
function revisionOf({ gateway, namespace, tag }: GatewayView): string {
  const asked = askedRevision(gateway, namespace);
  const labels = tag?.metadata?.labels;
  return (labels?.[TAG_LABEL] === asked && labels[REVISION_LABEL]) || asked;
}

function isOurs(view: GatewayView, settings: DeployerSettings): boolean {
  const { gateway, gatewayClass } = view;
  if (!isWaypointGateway(gateway, gatewayClass) || gateway.metadata?.deletionTimestamp !== undefined)
    return false;
  if (revisionOf(view) !== settings.revision) return false;
  const version = Number(annotationOf(gateway, CONTROLLER_VERSION_ANNOTATION) ?? 0);
  // What cannot be read was not written by a controller.
  return Number.isNaN(version) || version <= CONTROLLER_VERSION;
}

/** At most one address, and that an IP: it is to be deployed. */
export function isManaged({ spec }: Gateway): boolean {
  const [first, second] = spec?.addresses ?? [];
  if (first === undefined) return true;
  return second === undefined && (first.type ?? "IPAddress") === "IPAddress";
}

export function describeParameters(
  parameters: Parameters & { readonly kind: "unsupported" | "missing" },
  gateway: Gateway,
): string {
  return parameters.kind === "unsupported"
    ? `Unsupported parametersRef group/kind ${parameters.group}/${parameters.refKind}, only ConfigMap is supported`
    : `parametersRef ConfigMap ${gateway.metadata?.namespace}/${parameters.name} does not exist`;
}

const NO_PATCHES: ReadonlyMap<Part, Tree> = new Map();

function renderGateway(view: GatewayView, settings: DeployerSettings): readonly PlannedObject[] {
  const { gateway, classDefaults, parameters } = view;
  const metadata = waypointMetadata(gateway, settings);
  const layers: readonly ReadonlyMap<Part, Tree>[] = [
    wantsHighAvailability(gateway, settings) ? highAvailabilityPatches(metadata) : NO_PATCHES,
    classDefaults === undefined ? NO_PATCHES : readOverlays(classDefaults),
    parameters.kind === "found" ? readOverlays(parameters.map) : NO_PATCHES,
  ];
  return PARTS.flatMap((part): PlannedObject[] => {
    const patches = layers.map((layer) => layer.get(part)).filter((patch) => patch !== undefined);
    // An autoscaler and a budget are there only for who says what they are to be.
    const isOptional = part === "horizontalPodAutoscaler" || part === "podDisruptionBudget";
    if (isOptional && patches.length === 0) return [];
    const object = patches.reduce(applyOverlay, renderPart(part, gateway, metadata, settings));
    return [{ part, object: part === "deployment" ? withGracePeriod(object) : object }];
  });
}

/** Tells the proxy how long it may drain, which only the finished pod says. */
function withGracePeriod(deployment: Tree): Tree {
  const pod = treeAt(treeAt(treeAt(deployment, "spec"), "template"), "spec");
  const seconds = pod["terminationGracePeriodSeconds"] ?? 30;
  const variable = { name: "TERMINATION_GRACE_PERIOD_SECONDS", value: String(seconds) };
  const containers = [{ name: PROXY_CONTAINER, env: [variable] }];
  const hasProxy =
    Array.isArray(pod["containers"]) &&
    pod["containers"].some((each) => isTree(each) && each["name"] === PROXY_CONTAINER);
  return hasProxy ? strategicMerge(deployment, { spec: { template: { spec: { containers } } } }) : deployment;
}

function treeAt(tree: Tree, key: string): Tree {
  const value = tree[key];
  return isTree(value) ? value : {};
}

/**
 * Replicas that a Deployment must be given by hand: those of its autoscaler's minimum, which a cluster without metrics would never
 * reach. Undefined when somebody else decides, or enough are there.
 */
export function missingReplicas(
  objects: readonly PlannedObject[],
  current: number | undefined,
): number | undefined {
  const specOf = (part: Part): Tree =>
    treeAt(objects.find((each) => each.part === part)?.object ?? {}, "spec");
  if (specOf("deployment")["replicas"] !== undefined) return undefined;
  const minimum = specOf("horizontalPodAutoscaler")["minReplicas"];
  return typeof minimum === "number" && minimum > (current ?? 1) ? minimum : undefined;
}
