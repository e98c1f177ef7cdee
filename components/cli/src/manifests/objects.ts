/** The shape of a rendered Kubernetes object and the labels every object of an installation carries. */

import type { InstallValues } from "./values.ts";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

export type ComponentName = "Base" | "Pilot" | "Cni" | "Ztunnel";

/** Labels by which `uninstall` finds what an installation owns. */
export function ownerLabels(values: InstallValues, component: ComponentName): Record<string, string> {
  return {
    "install.operator.istio.io/owning-resource": "installed-state",
    "operator.istio.io/component": component,
    "operator.istio.io/managed": "Reconcile",
    "operator.istio.io/version": values.tag,
    "istio.io/rev": values.revision === "" ? "default" : values.revision,
    "app.kubernetes.io/managed-by": "meltemi",
    "app.kubernetes.io/part-of": "istio",
  };
}

/** `docker.io/meltemi/ztunnel:0.1.0-distroless` */
export function imageOf(values: InstallValues, name: string, variant: string = values.variant): string {
  return `${values.hub}/${name}:${values.tag}${variant === "" ? "" : `-${variant}`}`;
}

/** Name of the control plane's objects: `istiod`, or `istiod-<revision>`. */
export function istiodName(values: InstallValues): string {
  return values.revision === "" ? "istiod" : `istiod-${values.revision}`;
}

/** A variable whose value is a field of the pod. */
export function fieldEnv(name: string, fieldPath: string): object {
  return { name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } };
}

export function plainEnv(entries: ReadonlyMap<string, string>): object[] {
  return [...entries].map(([name, value]) => ({ name, value }));
}

/** A projected service-account token for the control plane, as Istio mounts it. */
export const ISTIO_TOKEN_VOLUME: object = {
  name: "istio-token",
  projected: {
    sources: [
      { serviceAccountToken: { path: "istio-token", expirationSeconds: 43_200, audience: "istio-ca" } },
    ],
  },
};
