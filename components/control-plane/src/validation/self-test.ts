/** Whether the API server asks this webhook and heeds it: it is shown an object that only the webhook refuses, in a dry run. */

import type { CustomObject, KubernetesClient, ResourceType } from "@meltemi/kubernetes";
import { describeError } from "@meltemi/runtime";

/** Istio's own Gateway: what its charts permit the control plane to create for this. */
const GATEWAYS: ResourceType<CustomObject> = {
  group: "networking.istio.io",
  version: "v1",
  plural: "gateways",
  kind: "Gateway",
  namespaced: true,
};

/** Of the rule that refuses it; the API server passes the webhook's message on. */
const REFUSAL = "spec.servers: expected at least one server, got none";
/** The API server waits for a webhook for 10 s by default, and for as many as there are. */
const TIMEOUT_MS = 30_000;

export type SelfTest =
  | { readonly kind: "heeded" }
  /** The object was taken (nobody was asked), or refused by somebody else. */
  | { readonly kind: "unheeded"; readonly reason: string };

/** Never rejects. */
export async function testWebhook(
  options: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  client: Pick<KubernetesClient, "create">,
  signal: AbortSignal,
): Promise<SelfTest> {
  const { namespace, labels } = options;
  const metadata = { namespace, name: "istiod-validation-self-test", labels };
  try {
    await client.create(GATEWAYS, { metadata, spec: {} }, { dryRun: true, signal, timeoutMs: TIMEOUT_MS });
    return { kind: "unheeded", reason: "the API server took an invalid object without asking" };
  } catch (error) {
    const reason = describeError(error);
    return reason.includes(REFUSAL) ? { kind: "heeded" } : { kind: "unheeded", reason };
  }
}
