/** Whether, and how, an object of the installation may be written over what is there. Pure. */

import type { KubernetesObject } from "@meltemi/kubernetes";
import type { Manifest } from "../manifests/objects.ts";
import { keepWebhookPolicy } from "../manifests/webhook.ts";

export type ApplyDecision =
  | { readonly kind: "apply"; readonly object: Manifest }
  | { readonly kind: "leave"; readonly why: string };

const OWNER_LABEL = "install.operator.istio.io/owning-resource";
const SHARED_GROUP = ".gateway.networking.k8s.io";

/**
 * Gateway API belongs to the whole cluster: definitions that somebody else installed, of whatever version and channel, are theirs, and
 * taking them over would also take them away when the mesh is removed.
 */
export function decideApply(object: Manifest, found: KubernetesObject | undefined): ApplyDecision {
  const isShared = object.kind === "CustomResourceDefinition" && object.metadata.name.endsWith(SHARED_GROUP);
  if (!isShared || found === undefined || found.metadata?.labels?.[OWNER_LABEL] !== undefined)
    return { kind: "apply", object: keepWebhookPolicy(object, found) };
  const version = found.metadata?.annotations?.["gateway.networking.k8s.io/bundle-version"];
  return {
    kind: "leave",
    why: `installed by somebody else${version === undefined ? "" : ` (Gateway API ${version})`}`,
  };
}
