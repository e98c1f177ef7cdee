/** What a ValidatingWebhookConfiguration of the mesh needs, so that the API server finds this webhook and believes it. Pure. */

import type { ValidatingWebhookConfiguration } from "@meltemi/kubernetes";

type Webhook = NonNullable<ValidatingWebhookConfiguration["webhooks"]>[number];

export interface WantedConfiguration {
  /** The roots that sign the webhook's certificate, PEM. */
  readonly rootBundlePem: string;
  /** Where the control plane runs, and under which Services. */
  readonly namespace: string;
  readonly services: readonly string[];
  /** The webhook was seen to refuse: from now on what it cannot be asked about is refused. */
  readonly isProven: boolean;
}

export type ConfigurationStep =
  | { readonly kind: "nothing" }
  /** It is right but for its failure policy, which waits for the proof. */
  | { readonly kind: "prove" }
  | { readonly kind: "replace"; readonly object: ValidatingWebhookConfiguration };

/** A webhook of another Service is somebody else's, whatever the labels say: our roots would break it. */
export function decideConfiguration(
  found: ValidatingWebhookConfiguration,
  wanted: WantedConfiguration,
): ConfigurationStep {
  const webhooks = found.webhooks ?? [];
  const next = webhooks.map((webhook) => (isOurs(webhook, wanted) ? putRight(webhook, wanted) : webhook));
  if (next.some((webhook, index) => webhook !== webhooks[index]))
    return { kind: "replace", object: { ...found, webhooks: next } };
  const isOpen = webhooks.some((webhook) => isOurs(webhook, wanted) && webhook.failurePolicy !== "Fail");
  return { kind: isOpen ? "prove" : "nothing" };
}

function isOurs({ clientConfig: { service, url } }: Webhook, wanted: WantedConfiguration): boolean {
  if (service === undefined) return url !== undefined;
  return service.namespace === wanted.namespace && wanted.services.includes(service.name);
}

/** The same object when nothing is wrong with it. */
function putRight(webhook: Webhook, { rootBundlePem, isProven }: WantedConfiguration): Webhook {
  const caBundle = Buffer.from(rootBundlePem).toString("base64");
  const isClosed = !isProven || webhook.failurePolicy === "Fail";
  if (webhook.clientConfig.caBundle === caBundle && isClosed) return webhook;
  return {
    ...webhook,
    clientConfig: { ...webhook.clientConfig, caBundle },
    ...(isProven && { failurePolicy: "Fail" }),
  };
}
