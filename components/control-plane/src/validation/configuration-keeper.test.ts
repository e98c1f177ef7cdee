import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { KubernetesClient, KubernetesObject, ValidatingWebhookConfiguration } from "@meltemi/kubernetes";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { createFakeClock } from "@meltemi/testkit";
import { keepConfigurations } from "./configuration-keeper.ts";
import { createValidationMetrics } from "./validation-metrics.ts";

const ROOTS = "-----BEGIN CERTIFICATE-----";
const NAME = "istio-validator-istio-system";
const FOUND: ValidatingWebhookConfiguration = {
  metadata: { name: NAME, labels: { "istio.io/rev": "default" }, resourceVersion: "1" },
  webhooks: [
    {
      name: "rev.validation.istio.io",
      admissionReviewVersions: ["v1"],
      sideEffects: "None",
      failurePolicy: "Ignore",
      clientConfig: {
        caBundle: Buffer.from(ROOTS).toString("base64"),
        service: { name: "istiod", namespace: "istio-system", path: "/validate" },
      },
    },
  ],
};

/** An API server that stores whatever it is given: its webhooks are never called. */
function takesAnything(): Pick<KubernetesClient, "list" | "watch" | "create" | "replace"> {
  return {
    list: async <T extends KubernetesObject>() => ({
      items: [FOUND as KubernetesObject as T],
      resourceVersion: "1",
    }),
    async *watch(_type, options) {
      await new Promise((resolve) => options?.signal?.addEventListener("abort", resolve));
    },
    create: async (_type, object) => object,
    replace: async () => assert.fail("nothing is to be put right"),
  };
}

test("a webhook that nobody heeds is told once, and stays open", async () => {
  const clock = createFakeClock();
  const lines: string[] = [];
  const sink = {
    filter: new LogFilter("info"),
    format: "plain",
    nowMs: () => clock.nowMs(),
    write: (line: string) => void lines.push(line),
  } as const;
  const term = new AbortController();
  const kept = keepConfigurations(
    { namespace: "istio-system", services: ["istiod"], revision: "default" },
    {
      client: takesAnything(),
      clock,
      random: () => 0,
      log: createLogger(sink, "validation"),
      metrics: createValidationMetrics(createRegistry()),
      onRootBundle(listener) {
        listener(ROOTS);
        return () => undefined;
      },
    },
    term.signal,
  );
  for (let second = 0; second < 110; second++) {
    await setImmediate();
    clock.advance(1_000);
  }
  term.abort();
  await kept;
  assert.equal(lines.length, 1, lines.join(""));
  assert.match(
    lines[0] ?? "",
    /warn.*validation webhook is not heeded, and fails open.*took an invalid object/,
  );
});
