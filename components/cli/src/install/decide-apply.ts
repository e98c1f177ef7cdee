/** Whether, and how, an object of the installation may be written over what is there. Pure. */

import type { KubernetesObject } from "@meltemi/kubernetes";
import type { Manifest } from "../manifests/objects.ts";
import { keepWebhookPolicy } from "../manifests/webhook.ts";
import { isNewer, parseVersion } from "./version.ts";

export type ApplyDecision =
  | { readonly kind: "apply"; readonly object: Manifest }
  | { readonly kind: "leave"; readonly why: string };

const OWNER_LABEL = "install.operator.istio.io/owning-resource";
const SHARED_GROUP = ".gateway.networking.k8s.io";

const BUNDLE_VERSION = "gateway.networking.k8s.io/bundle-version";
const CHANNEL = "gateway.networking.k8s.io/channel";

/**
 * Gateway API belongs to the whole cluster: definitions that somebody else installed, of whatever version and channel, are theirs, and
 * taking them over would also take them away when the mesh is removed. Those that somebody put a newer version or another channel over
 * stay, too: going back would take fields, and versions that objects are stored in.
 */
export function decideApply(object: Manifest, found: KubernetesObject | undefined): ApplyDecision {
  const isShared = object.kind === "CustomResourceDefinition" && object.metadata.name.endsWith(SHARED_GROUP);
  const { labels, annotations = {} } = found?.metadata ?? {};
  const isOwn =
    labels?.[OWNER_LABEL] !== undefined && !isAhead(annotations, object.metadata.annotations ?? {});
  if (!isShared || found === undefined || isOwn)
    return { kind: "apply", object: keepAdmission(keepWebhookPolicy(object, found), found) };
  const version = annotations[BUNDLE_VERSION];
  return {
    kind: "leave",
    why: `installed by somebody else${version === undefined ? "" : ` (Gateway API ${version})`}`,
  };
}

const ADMITS = "pod-security.kubernetes.io/enforce";

/**
 * A revision without node parts does not render what a namespace admits, and would take the label away that the node parts of
 * another revision were let in by: they could not be started again.
 */
function keepAdmission(object: Manifest, found: KubernetesObject | undefined): Manifest {
  const { metadata } = object;
  const level = found?.metadata?.labels?.[ADMITS];
  if (object.kind !== "Namespace" || level === undefined || metadata.labels?.[ADMITS] !== undefined)
    return object;
  return { ...object, metadata: { ...metadata, labels: { ...metadata.labels, [ADMITS]: level } } };
}

type Annotations = Readonly<Record<string, string>>;

/** Of what is found to what is rendered. A version that is none is nobody's release, least of all ours. */
function isAhead(found: Annotations, rendered: Annotations): boolean {
  const [theirs, ours] = [found[BUNDLE_VERSION], rendered[BUNDLE_VERSION]];
  if (theirs === undefined || ours === undefined) return false;
  if (theirs === ours) return found[CHANNEL] !== rendered[CHANNEL];
  const [a, b] = [parseVersion(theirs), parseVersion(ours)];
  return a === undefined || b === undefined || isNewer(a, b);
}
