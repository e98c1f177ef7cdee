/** `components.<name>.k8s` of an IstioOperator as values of the component's chart (reference: l7-and-cli §3.1). Pure. */

import { suggestion } from "@meltemi/validation";
import { isTree, type Tree, treeAt } from "./tree.ts";

export interface ComponentSettings {
  readonly values: Tree;
  readonly problems: readonly string[];
}

type Key = "base" | "pilot" | "cni" | "ztunnel";
type Translate = (value: unknown) => Tree;

/** Values of the same name and shape. */
const same =
  (name: string): Translate =>
  (value) => ({ [name]: value });
/** A field of another shape. */
const hpa: Translate = (value) => ({
  autoscaleEnabled: true,
  ...renamed(value, { minReplicas: "autoscaleMin", maxReplicas: "autoscaleMax" }),
});
const strategy: Translate = (value) =>
  renamed(treeAt(value, "rollingUpdate"), {
    maxSurge: "rollingMaxSurge",
    maxUnavailable: "rollingMaxUnavailable",
  });

const COMMON: Readonly<Record<string, Translate>> = {
  affinity: same("affinity"),
  env: readEnv,
  podAnnotations: same("podAnnotations"),
  resources: same("resources"),
  tolerations: same("tolerations"),
};
const SETTINGS: Readonly<Record<Key, Readonly<Record<string, Translate>>>> = {
  base: {},
  pilot: {
    ...COMMON,
    hpaSpec: hpa,
    nodeSelector: same("nodeSelector"),
    podDisruptionBudget: same("pdb"),
    // A fixed number, so no autoscaler.
    replicaCount: (value) => ({ replicaCount: value, autoscaleEnabled: false }),
    serviceAnnotations: same("serviceAnnotations"),
    strategy,
  },
  cni: COMMON,
  ztunnel: { ...COMMON, nodeSelector: same("nodeSelector") },
};
/** Not a value: it changes objects that are rendered. */
const OVERLAYS = "overlays";

export function readSettings(component: Key, k8s: Tree): ComponentSettings {
  const known = SETTINGS[component];
  const problems: string[] = [];
  let values: Tree = {};
  for (const [field, value] of Object.entries(k8s)) {
    if (field === OVERLAYS) continue;
    const translate = Object.hasOwn(known, field) ? known[field] : undefined;
    if (translate === undefined) {
      const names = [...Object.keys(known), OVERLAYS];
      problems.push(
        `components.${component}.k8s.${field}: no such setting${suggestion(field, names)}; there are ${names.join(", ")}`,
      );
    } else values = { ...values, ...translate(value) };
  }
  return { values, problems };
}

/** A list of variables: those with a value, and those that come from somewhere. */
function readEnv(value: unknown): Tree {
  const entries = Array.isArray(value) ? value.filter(isTree) : [];
  const plain = entries.filter((entry) => entry["valueFrom"] === undefined);
  const from = entries.filter((entry) => entry["valueFrom"] !== undefined);
  return {
    env: Object.fromEntries(plain.map((entry) => [String(entry["name"]), entry["value"] ?? ""])),
    ...(from.length > 0 && { envVarFrom: from }),
  };
}

function renamed(value: unknown, names: Readonly<Record<string, string>>): Tree {
  return Object.fromEntries(
    Object.entries(names).flatMap(([from, to]) =>
      isTree(value) && value[from] !== undefined ? [[to, value[from]]] : [],
    ),
  );
}
