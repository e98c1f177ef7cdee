/** Pods as the demo looks at them: who they are, whether they restarted, whether the mesh has captured them. */

import type { Stage } from "./stage.ts";

const REDIRECTION = "ambient.istio.io/redirection";

export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly deletionTimestamp?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
  readonly status: {
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly containerStatuses?: readonly { readonly restartCount: number }[];
  };
}

/** By name. */
export async function podsOf(stage: Stage, namespace = "default"): Promise<readonly Pod[]> {
  const text = await stage.kubectl(["get", "pods", "-n", namespace, "-o", "json"]);
  const pods = (JSON.parse(text) as { readonly items: readonly Pod[] }).items;
  return [...pods].sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
}

export const isCaptured = ({ metadata }: Pod): boolean => metadata.annotations?.[REDIRECTION] === "enabled";

export function restartsOf(pods: readonly Pod[]): number {
  const containers = pods.flatMap(({ status }) => status.containerStatuses ?? []);
  return containers.reduce((sum, { restartCount }) => sum + restartCount, 0);
}

export function areSame(before: readonly Pod[], after: readonly Pod[]): boolean {
  return (
    before.length === after.length && before.every((pod, at) => pod.metadata.uid === after[at]?.metadata.uid)
  );
}
