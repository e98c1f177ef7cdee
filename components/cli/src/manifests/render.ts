/** Values → the objects of each component, in the order of their installation: base → (cni → ztunnel, control plane). */

import { renderCni } from "./cni.ts";
import { renderIstiod } from "./istiod.ts";
import { type ComponentName, type Manifest, ownerLabels } from "./objects.ts";
import type { InstallValues } from "./values.ts";
import { renderZtunnel } from "./ztunnel.ts";

export interface RenderedComponent {
  readonly name: ComponentName;
  /** As `install` announces it. */
  readonly title: string;
  readonly icon: string;
  readonly objects: readonly Manifest[];
}

/** `crds` are the mesh's CustomResourceDefinitions; they belong to the base component. */
export function renderComponents(
  values: InstallValues,
  crds: readonly Manifest[],
): readonly RenderedComponent[] {
  const components: RenderedComponent[] = [];
  if (values.base.enabled) {
    components.push({ name: "Base", title: "Istio core", icon: "⛵️", objects: renderBase(values, crds) });
  }
  if (values.pilot.enabled)
    components.push({ name: "Pilot", title: "Istiod", icon: "🧠", objects: renderIstiod(values) });
  if (values.cni.enabled)
    components.push({ name: "Cni", title: "CNI", icon: "🪢", objects: renderCni(values) });
  if (values.ztunnel.enabled)
    components.push({ name: "Ztunnel", title: "Ztunnel", icon: "🔒", objects: renderZtunnel(values) });
  return components;
}

function renderBase(values: InstallValues, crds: readonly Manifest[]): readonly Manifest[] {
  const labels = ownerLabels(values, "Base");
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: values.istioNamespace } },
    ...crds.map((crd) => ({
      ...crd,
      metadata: { ...crd.metadata, labels: { ...crd.metadata.labels, ...labels } },
    })),
  ];
}
