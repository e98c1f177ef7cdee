import assert from "node:assert/strict";
import { test } from "node:test";
import { decideConfiguration } from "./decide-configuration.ts";

const wanted = {
  rootBundlePem: "roots",
  namespace: "istio-system",
  services: ["istiod", "istiod-canary"],
  isProven: false,
};
const caBundle = Buffer.from("roots").toString("base64");

function found(
  failurePolicy: "Ignore" | "Fail" | undefined,
  clientConfig: object,
): Parameters<typeof decideConfiguration>[0] {
  const service = { name: "istiod", namespace: "istio-system" };
  return {
    metadata: { name: "v" },
    webhooks: [
      {
        name: "rev.validation.istio.io",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        clientConfig: { service, ...clientConfig },
        ...(failurePolicy !== undefined && { failurePolicy }),
      },
    ],
  };
}

const old = { caBundle: "b2xk" };
const CASES = [
  { name: "new: the roots, and nothing closed", object: found("Ignore", {}), want: [caBundle, "Ignore"] },
  { name: "other roots", object: found("Fail", old), want: [caBundle, "Fail"] },
  { name: "right but open waits for the proof", object: found("Ignore", { caBundle }), want: "prove" },
  { name: "no policy is Fail by default, and said", object: found(undefined, { caBundle }), want: "prove" },
  { name: "all is right", object: found("Fail", { caBundle }), want: "nothing" },
  { name: "proven", object: found("Ignore", { caBundle }), isProven: true, want: [caBundle, "Fail"] },
  {
    name: "proven, and somebody reset all",
    object: found("Ignore", old),
    isProven: true,
    want: [caBundle, "Fail"],
  },
  {
    name: "the Service of a revision",
    object: found("Ignore", { service: { name: "istiod-canary", namespace: "istio-system" } }),
    want: [caBundle, "Ignore"],
  },
  {
    name: "a webhook of another mesh is left alone",
    object: found("Ignore", { ...old, service: { name: "istiod", namespace: "istio-two" } }),
    isProven: true,
    want: "nothing",
  },
  {
    name: "a webhook of another Service is left alone",
    object: found("Ignore", { service: { name: "guard", namespace: "istio-system" } }),
    want: "nothing",
  },
  {
    name: "a control plane outside is reached by its address",
    object: found("Ignore", { service: undefined, url: "https://istiod.example.com/validate" }),
    want: [caBundle, "Ignore"],
  },
  { name: "no webhooks", object: { metadata: { name: "v" } }, want: "nothing" },
] as const;
for (const { name, object, want, ...rest } of CASES)
  test(`decideConfiguration: ${name}`, () => {
    const step = decideConfiguration(object, { ...wanted, ...rest });
    const webhook = step.kind === "replace" ? step.object.webhooks?.[0] : undefined;
    const got = webhook === undefined ? step.kind : [webhook.clientConfig.caBundle, webhook.failurePolicy];
    assert.deepEqual(got, want);
  });
