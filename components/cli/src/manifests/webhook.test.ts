import assert from "node:assert/strict";
import { test } from "node:test";
import { CHARTS } from "./generated/charts.ts";
import type { Manifest } from "./objects.ts";
import { overlay, type Tree } from "./tree.ts";
import { keepWebhookPolicy, validator } from "./webhook.ts";

function rendered(base: Tree = {}): Manifest {
  return validator(overlay(CHARTS.istiod.defaults, { base }), {
    name: "istio-validator-istio-system",
    labels: {},
    webhook: "rev.validation.istio.io",
    service: { name: "istiod", namespace: "istio-system" },
    revision: "default",
    objects: { key: "istio.io/rev", operator: "Exists" },
  });
}

interface Webhook {
  readonly failurePolicy: string;
  readonly clientConfig: { readonly caBundle?: string };
}
const only = (object: Manifest): Webhook => (object["webhooks"] as readonly [Webhook])[0];
const found = (failurePolicy: string, name = "rev.validation.istio.io", service = "istiod"): object => ({
  webhooks: [
    {
      name,
      failurePolicy,
      clientConfig: { caBundle: "YWJj", service: { name: service, namespace: "istio-system" } },
    },
  ],
});

const cases = [
  { name: "a new webhook fails open", found: undefined, want: "Ignore" },
  { name: "what the control plane closed stays closed", found: found("Fail"), want: "Fail" },
  { name: "what it did not close yet stays open", found: found("Ignore"), want: "Ignore" },
  {
    name: "what another control plane closed is open until this one serves",
    found: found("Fail", "rev.validation.istio.io", "istiod-old"),
    want: "Ignore",
  },
  { name: "another webhook's policy is not this one's", found: found("Fail", "other"), want: "Ignore" },
  { name: "what is not a configuration is as if none were there", found: { webhooks: "x" }, want: "Ignore" },
] as const;
for (const each of cases)
  test(each.name, () => {
    const { failurePolicy, clientConfig } = only(keepWebhookPolicy(rendered(), each.found));
    assert.equal(failurePolicy, each.want);
    assert.equal(clientConfig.caBundle, undefined);
  });

test("a server of one's own keeps its authority and its policy", () => {
  const kept = only(keepWebhookPolicy(rendered({ validationCABundle: "ZGVm" }), found("Ignore")));
  assert.deepEqual([kept.failurePolicy, kept.clientConfig.caBundle], ["Fail", "ZGVm"]);
});

test("an object of another kind is as it was", () => {
  const object = { apiVersion: "v1", kind: "Service", metadata: { name: "a" } };
  assert.equal(keepWebhookPolicy(object, found("Fail")), object);
});
