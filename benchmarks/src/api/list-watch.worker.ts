/** The peer of the control plane's start: lists and watches the same objects, and does nothing with them. Argument: a kubeconfig. */

import { readFileSync } from "node:fs";
import {
  AUTHORIZATION_POLICIES,
  createKubernetesClient,
  ENDPOINT_SLICES,
  loadKubeconfig,
  NAMESPACES,
  PODS,
  type ResourceType,
  SERVICES,
} from "@meltemi/kubernetes";
import { systemClock } from "@meltemi/runtime";

export interface Listed {
  readonly objects: number;
}

const KINDS: readonly ResourceType[] = [NAMESPACES, PODS, SERVICES, ENDPOINT_SLICES, AUTHORIZATION_POLICIES];
const client = createKubernetesClient(loadKubeconfig(readFileSync(process.argv[2] ?? "", "utf8")), {
  clock: systemClock,
});

const lists = await Promise.all(
  KINDS.map(async (kind) => {
    const { items, resourceVersion } = await client.list(kind);
    const events = client.watch(kind, { resourceVersion });
    // Runs until this process is ended.
    events.next().catch(() => process.exit(1));
    return items;
  }),
);
process.send?.({ objects: lists.flat().length } satisfies Listed);
