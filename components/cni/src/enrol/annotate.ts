/** Tells the control plane that a pod is captured; peers then send it HBONE (reference: protocol §6.6). */

import { isConflict, isNotFound, type KubernetesClient, PODS } from "@meltemi/kubernetes";
import { type PodIdentity, REDIRECTION } from "./pod-facts.ts";

export type Redirection = "enabled" | "pending";

/**
 * Writes or (undefined) removes the annotation through pods/status, which is all the agent may write. A pod that is gone, or whose
 * name another pod has by now, is no error: the uid in the patch makes the server refuse it.
 */
export async function annotate(
  client: Pick<KubernetesClient, "patch">,
  pod: PodIdentity,
  value: Redirection | undefined,
): Promise<void> {
  const { uid, name, namespace } = pod;
  const body = { metadata: { uid, annotations: { [REDIRECTION]: value ?? null } } };
  try {
    await client.patch(PODS, { name, namespace }, { kind: "merge", body }, { subresource: "status" });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
