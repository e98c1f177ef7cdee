/** What each profile of an IstioOperator changes, before the charts' own profiles (reference: l7-and-cli §3.1). */

import type { Tree } from "./tree.ts";

export type ProfileResult =
  | { readonly kind: "ok"; readonly tree: Tree }
  | { readonly kind: "refused"; readonly problem: string };

const NODE_PARTS: Tree = { cni: { enabled: true }, ztunnel: { enabled: true } };
const NODE_PARTS_OF_OPENSHIFT: Tree = {
  cni: { enabled: true, namespace: "kube-system" },
  ztunnel: { enabled: true, namespace: "kube-system" },
};

const PROFILES: ReadonlyMap<string, Tree> = new Map<string, Tree>([
  ["default", {}],
  ["minimal", {}],
  ["empty", { components: { base: { enabled: false }, pilot: { enabled: false }, cni: { enabled: false } } }],
  ["ambient", { components: NODE_PARTS, values: { profile: "ambient" } }],
  ["demo", { values: { profile: "demo" } }],
  ["preview", { values: { profile: "preview" } }],
  ["remote", { values: { profile: "remote" } }],
  // Istio's also has the node agent, which takes the place of the init containers of sidecars.
  ["openshift", { values: { global: { platform: "openshift" } } }],
  [
    "openshift-ambient",
    {
      components: NODE_PARTS_OF_OPENSHIFT,
      values: { profile: "ambient", global: { platform: "openshift" } },
    },
  ],
]);

const REFUSED: ReadonlyMap<string, string> = new Map([
  ["stable", "it denies fields outside the stable API by an admission policy, which there is none of"],
  ["external", "its control plane is outside the cluster; use remote, with values.global.remotePilotAddress"],
]);

export function readProfile(name: unknown): ProfileResult {
  const found = typeof name === "string" ? PROFILES.get(name) : undefined;
  if (found !== undefined) return { kind: "ok", tree: found };
  const why = typeof name === "string" ? REFUSED.get(name) : undefined;
  if (why !== undefined) return { kind: "refused", problem: `profile: ${name} is refused: ${why}` };
  const names = [...PROFILES.keys()].join(", ");
  return { kind: "refused", problem: `profile: expected one of ${names}, got ${JSON.stringify(name)}` };
}
