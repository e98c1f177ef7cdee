/** Values → the objects of each component, in the order of their installation: base → control plane → node agent → proxy. Pure. */

import { MeshError } from "@meltemi/runtime";
import { renderBase } from "./base.ts";
import { renderCni } from "./cni.ts";
import { type ClusterFacts, CURRENT_CLUSTER } from "./facts.ts";
import { renderIstiod } from "./istiod.ts";
import { patchObjects } from "./object-overlays.ts";
import { type ChartContext, type ComponentName, type Manifest, text } from "./objects.ts";
import type { ComponentValues, InstallValues } from "./values.ts";
import { renderZtunnel } from "./ztunnel.ts";

export interface RenderedComponent {
  readonly name: ComponentName;
  /** As `install` announces it. */
  readonly title: string;
  readonly icon: string;
  readonly objects: readonly Manifest[];
}

const TITLES: Readonly<Record<ComponentName, { readonly title: string; readonly icon: string }>> = {
  Base: { title: "Istio core", icon: "⛵️" },
  Pilot: { title: "Istiod", icon: "🧠" },
  Cni: { title: "CNI", icon: "🪢" },
  Ztunnel: { title: "Ztunnel", icon: "🔒" },
};

/**
 * `crds` are the CustomResourceDefinitions of the mesh and of Gateway API; they belong to the base component. `facts`: of the cluster that
 * the objects are for. Throws INPUT_INVALID for an overlay that meets nothing.
 */
export function renderComponents(
  values: InstallValues,
  crds: readonly Manifest[],
  facts: ClusterFacts = CURRENT_CLUSTER,
): readonly RenderedComponent[] {
  const enabled = values.components.filter(({ isEnabled }) => isEnabled);
  return enabled.map((component) => {
    const { name, namespace, overlays } = component;
    const context: ChartContext = { values: component.values, namespace, facts };
    const rendered = renderComponent(name, context, crds);
    const { objects, problems } = patchObjects(rendered, overlays);
    if (problems.length > 0) throw new MeshError("INPUT_INVALID", `render ${name}: ${problems.join("; ")}`);
    const namespaces = name === "Base" ? renderNamespaces(values, enabled) : [];
    return { name, ...TITLES[name], objects: [...namespaces, ...objects] };
  });
}

function renderComponent(
  name: ComponentName,
  context: ChartContext,
  crds: readonly Manifest[],
): readonly Manifest[] {
  switch (name) {
    case "Base":
      return renderBase(context, crds);
    case "Pilot":
      return renderIstiod(context);
    case "Cni":
      return renderCni(context);
    case "Ztunnel":
      return renderZtunnel(context);
  }
}

/** Namespaces that are there anyway, and whose labels are not ours. */
const SYSTEM_NAMESPACES: ReadonlySet<string> = new Set(["kube-system", "default"]);

/** Parts of the node need what Pod Security calls privileged: host folders and capabilities. Elsewhere the level is the operator's choice. */
function renderNamespaces(values: InstallValues, enabled: readonly ComponentValues[]): readonly Manifest[] {
  const names = new Set([values.istioNamespace, ...enabled.map(({ namespace }) => namespace)]);
  const network = enabled
    .map((component) => text(component.values, "global.network"))
    .find((each) => each !== "");
  return [...names]
    .filter((name) => !SYSTEM_NAMESPACES.has(name))
    .map((name) => {
      const isNodes = enabled.some(
        (one) => one.namespace === name && (one.name === "Cni" || one.name === "Ztunnel"),
      );
      const labels = {
        ...(isNodes && { "pod-security.kubernetes.io/enforce": "privileged" }),
        ...(network !== undefined &&
          name === values.istioNamespace && { "topology.istio.io/network": network }),
      };
      const isLabelled = Object.keys(labels).length > 0;
      return { apiVersion: "v1", kind: "Namespace", metadata: { name, ...(isLabelled && { labels }) } };
    });
}
