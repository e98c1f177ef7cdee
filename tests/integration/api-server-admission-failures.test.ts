/** Admission webhooks that fail in every way, those behind Services, and configurations that are refused. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createMap as create, MAPS, startHookedCluster } from "./admission-webhook.fixture.ts";

const cluster = await startHookedCluster();
const { hooks, configure, kubectl, feed, refused, run } = cluster;

test("a condition that cannot be judged counts as a failure", async () => {
  hooks.on("/odd", () => ({}));
  await configure({ path: "/odd", matchConditions: [{ name: "c", expression: "object.spec.x == 1" }] });
  await refused(/failed evaluating match conditions: c: /, create("odd"));
});

const service = {
  clientConfig: { service: { name: "hook", namespace: "hooks", path: "/ok" }, caBundle: hooks.caBundle },
};
const failures: readonly {
  name: string;
  hook: object;
  behaviour?: () => string | number | undefined;
  says: RegExp;
}[] = [
  {
    name: "no answer",
    hook: {},
    behaviour: () => undefined,
    says: /Post "https:\/\/localhost:\d+\/sick\?timeout=1s": context deadline exceeded/,
  },
  {
    name: "an error",
    hook: {},
    behaviour: () => 503,
    says: /an error on the server \("out of order"\) has prevented the request from succeeding/,
  },
  {
    name: "no such path",
    hook: {},
    behaviour: () => 404,
    says: /the server could not find the requested resource/,
  },
  { name: "no JSON", hook: {}, behaviour: () => "hello", says: /expected an AdmissionReview/ },
  {
    name: "another kind",
    hook: {},
    behaviour: () => "{}",
    says: /expected webhook response of admission.k8s.io\/v1, Kind=AdmissionReview/,
  },
  {
    name: "another question's answer",
    hook: {},
    behaviour: () =>
      '{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"x","allowed":true}}',
    says: /expected response.uid="[-0-9a-f]+", got "x"/,
  },
  {
    name: "too much",
    hook: {},
    behaviour: () => "x".repeat(4 * 1024 * 1024),
    says: /larger than 3145728 bytes/,
  },
  {
    name: "a certificate of somebody else",
    hook: {
      clientConfig: {
        url: `https://localhost:${hooks.port}/sick`,
        caBundle: Buffer.from(cluster.caPem).toString("base64"),
      },
    },
    says: /certificate|self-signed/i,
  },
  {
    name: "a closed port",
    hook: { clientConfig: { url: "https://127.0.0.1:9/sick" } },
    says: /ECONNREFUSED/,
  },
  {
    name: "no service",
    hook: service,
    says: /Post "https:\/\/hook.hooks.svc:443\/ok\?timeout=1s": service "hook" not found/,
  },
];
for (const { name, hook, behaviour, says } of failures)
  test(`failed: ${name}`, async () => {
    if (behaviour !== undefined) hooks.on("/sick", behaviour);
    await configure({ path: "/sick", ...hook });
    const { stderr, code } = await run(create("sick", "--dry-run=server"));
    assert.notEqual(code, 0);
    assert.match(stderr, /Internal error occurred: failed calling webhook "sick.hooks.example": /);
    assert.match(stderr, says);
    await configure({ path: "/sick", ...hook, failurePolicy: "Ignore" });
    await kubectl(...create("sick", "--dry-run=server"));
  });

test("a webhook behind a Service is called at a ready endpoint, by the Service's name", async () => {
  hooks.on("/ok", () => ({ allowed: false, status: { message: "heard" } }));
  await feed(
    "{apiVersion: v1, kind: Service, metadata: {name: hook, namespace: hooks}, spec: {ports: [{port: 443, name: https}]}}",
    "apply",
  );
  await configure({ path: "/ok", ...service });
  await refused(/no endpoints available for service "hook"/, create("served"));
  const slice = (name: string, port: number, ready: boolean): object => ({
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, namespace: "hooks", labels: { "kubernetes.io/service-name": "hook" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready } }],
    ports: [{ name: "https", port }],
  });
  await feed(JSON.stringify(slice("sick", 9, false)), "apply");
  await refused(/no endpoints available for service "hook"/, create("served"));
  await feed(JSON.stringify(slice("well", hooks.port, true)), "apply");
  await refused(/admission webhook "ok.hooks.example" denied the request: heard/, create("served"));
});

test("webhooks have no say over webhook configurations, and those are checked", async () => {
  await configure({
    path: "/all",
    clientConfig: { url: "https://127.0.0.1:9/" },
    rules: [{ operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"] }],
  });
  await refused(/failed calling webhook/, create("nothing"));
  await kubectl("delete", "validatingwebhookconfiguration", "a");
  await refused(
    /webhooks\[0\].sideEffects: Unsupported value: "Some"/,
    ["apply", "-f", "-"],
    configurationText({ sideEffects: "Some" }),
  );
  await refused(
    /timeoutSeconds: Invalid value: 31: the timeout value must be between 1 and 30 seconds/,
    ["apply", "-f", "-"],
    configurationText({ timeoutSeconds: 31 }),
  );
  await refused(
    /'https' is the only allowed URL scheme/,
    ["apply", "-f", "-"],
    configurationText({ clientConfig: { url: "http://x/" } }),
  );
  await refused(
    /matchConditions\[0\].expression: Invalid value/,
    ["apply", "-f", "-"],
    configurationText({ matchConditions: [{ name: "c", expression: "1 +" }] }),
  );
  await refused(/at least three segments/, ["apply", "-f", "-"], configurationText({ name: "x.y" }));
});

function configurationText(rest: object): string {
  const webhook = {
    name: "x.y.z",
    clientConfig: { url: "https://x/" },
    rules: [MAPS],
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
    ...rest,
  };
  return JSON.stringify({
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: "bad" },
    webhooks: [webhook],
  });
}
