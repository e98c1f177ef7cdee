/** What an older Kubernetes knows no fields for, and would refuse or drop: it is left out before anything is sent. Pure. */

import type { Manifest } from "../manifests/objects.ts";
import type { RenderedComponent } from "../manifests/render.ts";

export interface FittedInstallation {
  readonly components: readonly RenderedComponent[];
  /** What the user does without on this server, a sentence each. */
  readonly losses: readonly string[];
}

interface Adjustment {
  /** The first minor version of Kubernetes 1 that has it. */
  readonly since: number;
  readonly loss: string;
  /** The object without it; itself where it has none. */
  readonly adjust: (object: Manifest) => Manifest;
}

const ADJUSTMENTS: readonly Adjustment[] = [
  {
    since: 23,
    loss: "rules of the definitions that need CEL are not checked by the API server (istioctl validate and analyze check them)",
    adjust: (object) =>
      object.kind === "CustomResourceDefinition"
        ? (without(object, "x-kubernetes-validations") as Manifest)
        : object,
  },
  {
    since: 22,
    loss: "DaemonSets cannot start the new pod beside the old one: while a node's proxy is upgraded, its pods make no new connections",
    adjust: withoutSurge,
  },
];

/** `minor`: of the server's version. */
export function fitToServer(components: readonly RenderedComponent[], minor: number): FittedInstallation {
  const needed = ADJUSTMENTS.filter(({ since }) => minor < since);
  const losses = new Set<string>();
  const fit = (object: Manifest): Manifest =>
    needed.reduce((before, { adjust, loss }) => {
      const fitted = adjust(before);
      if (fitted !== before) losses.add(loss);
      return fitted;
    }, object);
  const fitted = components.map((component) => ({ ...component, objects: component.objects.map(fit) }));
  return { components: fitted, losses: [...losses] };
}

/** Of one of the two, surge or unavailability, there must be something. */
function withoutSurge(object: Manifest): Manifest {
  if (object.kind !== "DaemonSet") return object;
  const spec = object["spec"] as Readonly<Record<string, unknown>>;
  const strategy = spec["updateStrategy"] as
    | { readonly rollingUpdate?: { readonly maxSurge?: unknown } }
    | undefined;
  if (strategy?.rollingUpdate?.maxSurge === undefined) return object;
  const updateStrategy = { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } };
  return { ...object, spec: { ...spec, updateStrategy } };
}

/** The same value where nothing is left out. */
function without(value: unknown, key: string): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => without(item, key));
    return items.every((item, index) => item === value[index]) ? value : items;
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const kept = entries
    .filter(([name]) => name !== key)
    .map(([name, item]): [string, unknown] => [name, without(item, key)]);
  const same =
    kept.length === entries.length && kept.every(([, item], index) => item === entries[index]?.[1]);
  return same ? value : Object.fromEntries(kept);
}
