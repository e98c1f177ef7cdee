/** A pod from the template of its owner: what replica sets, daemon sets, stateful sets and jobs make alike. */

import { type KubernetesObject, nameOf, namespaceOf, type Pod, type ResourceType } from "@meltemi/kubernetes";
import type { PodTemplateSpec } from "kubernetes-types/core/v1.js";
import { controllerReference } from "./ownership.ts";

export interface PodDifferences {
  /** Absent: the owner's name and some characters of the API server's choice. */
  readonly name?: string;
  /** Above the template's own. */
  readonly labels?: Readonly<Record<string, string>>;
}

export function podFromTemplate(
  type: ResourceType,
  owner: KubernetesObject,
  template: PodTemplateSpec | undefined,
  { name, labels: added }: PodDifferences = {},
): Pod {
  const { metadata = {}, spec } = template ?? {};
  const labels = { ...metadata.labels, ...added };
  return {
    metadata: {
      ...(name === undefined ? { generateName: `${nameOf(owner)}-` } : { name }),
      namespace: namespaceOf(owner),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
      ...(metadata.annotations === undefined ? {} : { annotations: metadata.annotations }),
      ...(metadata.finalizers === undefined ? {} : { finalizers: metadata.finalizers }),
      ownerReferences: [controllerReference(type, owner)],
    },
    spec: spec ?? { containers: [] },
  };
}
