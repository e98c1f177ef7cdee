/** The validation webhook as the API server meets it: over TLS with the mesh's own roots, and as its configurations are kept. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  AUTHORIZATION_POLICIES,
  CONFIG_MAPS,
  type CustomObject,
  ENDPOINT_SLICES,
  type KubernetesClient,
  SERVICES,
  VALIDATING_WEBHOOKS,
  type ValidatingWebhookConfiguration,
} from "@meltemi/kubernetes";
import { eventually } from "@meltemi/testkit";
import fc from "fast-check";
import { ensureNamespace, startCluster } from "./control-plane.fixture.ts";
import { ask, BAD, policy, reviewOf, send, startPlane } from "./control-plane-validation.fixture.ts";

const deadline = { timeout: 60_000 };
test(
  "reviews are answered over TLS with the mesh's roots, by name, and as the command line would",
  deadline,
  async () => {
    await using cluster = await startCluster();
    await using plane = await startPlane(cluster.client);
    assert.deepEqual(await ask(plane, reviewOf(policy({ rules: [{}] }))), { uid: "u-1", allowed: true });

    const refused = await ask(plane, reviewOf(BAD));
    assert.equal(refused.allowed, false);
    assert.match(
      refused.status?.message ?? "",
      /^configuration is invalid: spec\.provider\.name: expected the name of a provider with action CUSTOM/,
    );

    const http = policy({ rules: [{ to: [{ operation: { methods: ["GET"] } }] }] });
    const warned = await ask(plane, reviewOf(http));
    assert.match(warned.warnings?.[0] ?? "", /ztunnel does not support HTTP attributes \(found: methods\)/);

    const unknown = {
      apiVersion: "extensions.istio.io/v1alpha1",
      kind: "TrafficExtension",
      metadata: { name: "t" },
    };
    const foreign = await ask(plane, reviewOf(unknown));
    assert.deepEqual([foreign.allowed, foreign.warnings?.length], [true, 1]);
    const old = await ask(plane, reviewOf(BAD).replace("admission.k8s.io/v1", "admission.k8s.io/v1beta1"));
    assert.equal(old.allowed, false);

    // Under a name that is not the control plane's, or without its roots, nobody listens.
    await assert.rejects(send(plane, "", { servername: "example.com" }));
    await assert.rejects(send({ ...plane, rootPem: "" }, "", { ca: [] }));

    const metrics = plane.running.controlPlane.registry.exposition(undefined).body;
    assert.match(
      metrics,
      /galley_validation_failed\{group="security\.istio\.io",version="v1",resource="authorizationpolicies",reason="invalid_resource"\} 2/,
    );
    assert.match(metrics, /galley_validation_passed\{group="unknown"/);
  },
);

test("what was stored once stays mendable: another label, a finalizer, its end", deadline, async () => {
  await using cluster = await startCluster();
  await using plane = await startPlane(cluster.client);
  const update = { operation: "UPDATE", oldObject: BAD };
  const labelled = policy({ action: "CUSTOM" }, { labels: { team: "a" } });
  const { allowed, warnings } = await ask(plane, reviewOf(labelled, update));
  assert.equal(allowed, true);
  assert.match(warnings?.[0] ?? "", /^spec\.provider\.name/);
  const leaving = policy({ action: "AUDIT", provider: {} }, { deletionTimestamp: "2026-01-01T00:00:00Z" });
  assert.equal((await ask(plane, reviewOf(leaving, update))).allowed, true);
  const changed = policy({ action: "CUSTOM", rules: [{}] });
  assert.equal((await ask(plane, reviewOf(changed, update))).allowed, false);
  assert.equal((await ask(plane, reviewOf(BAD, { operation: "DELETE", object: null }))).allowed, true);
});

test("a change of the mesh configuration leaves no review unanswered", deadline, async () => {
  await using cluster = await startCluster();
  await using plane = await startPlane(cluster.client);
  const mesh = { metadata: { namespace: "istio-system", name: "istio" }, data: { mesh: "trustDomain: td2" } };
  await cluster.client.create(CONFIG_MAPS, mesh);
  while (plane.starts.length < 2) assert.equal((await ask(plane, reviewOf(BAD))).allowed, false);
  assert.equal(plane.starts[1]?.webhookPort, plane.port);
  assert.equal((await ask(plane, reviewOf(BAD))).allowed, false);
  const metrics = plane.starts[1]?.controlPlane.registry.exposition(undefined).body ?? "";
  assert.match(metrics, /galley_validation_failed\{[^}]*\} [1-9]/);
});

test("whatever is sent, it answers, within its bounds", deadline, async () => {
  await using cluster = await startCluster();
  await using plane = await startPlane(cluster.client);
  const text = { "content-type": "text/plain" };
  const large = { "content-type": "application/json", "content-length": "99999999" };
  const cases = [
    { name: "GET", body: "", overrides: { method: "GET" }, want: 405 },
    { name: "another path", body: "{}", overrides: { path: "/inject" }, want: 404 },
    { name: "no body", body: "", want: 400 },
    { name: "another type", body: "{}", overrides: { headers: text }, want: 415 },
    { name: "no JSON", body: "{", want: 400 },
    { name: "no review", body: "[]", want: 400 },
    { name: "a review of another version", body: '{"apiVersion":"admission.k8s.io/v9"}', want: 400 },
    { name: "no uid", body: '{"apiVersion":"admission.k8s.io/v1","request":{}}', want: 400 },
    { name: "a length beyond the bound", body: "", overrides: { headers: large }, want: 413 },
    { name: "a body beyond the bound", body: Buffer.alloc(9 * 1024 * 1024, 32), want: 413 },
  ];
  for (const { name, body, overrides, want } of cases) {
    // A refusal may come before all was sent, and the rest finds the door shut.
    const status = await send(plane, body, overrides).then(
      (answered) => answered.status,
      (error: NodeJS.ErrnoException) => error.code,
    );
    assert.ok(
      status === want || (want === 413 && (status === "EPIPE" || status === "ECONNRESET")),
      `${name}: ${status}`,
    );
  }
  const deep = `${"[".repeat(500_000)}${"]".repeat(500_000)}`;
  const nested = reviewOf(policy({ rules: "DEEP" })).replace('"DEEP"', deep);
  assert.ok([200, 500].includes((await send(plane, nested)).status));
  assert.equal((await ask(plane, reviewOf(policy({ rules: [{}] })))).allowed, true);
});

test("no object at all makes the webhook fail", deadline, async () => {
  await using cluster = await startCluster();
  await using plane = await startPlane(cluster.client);
  const review = fc.record({
    operation: fc.constantFrom("CREATE", "UPDATE", "DELETE", 7),
    kind: fc.record({
      group: fc.constantFrom(
        "security.istio.io",
        "networking.istio.io",
        "telemetry.istio.io",
        "meltemi.io",
        "x",
      ),
      version: fc.constant("v1"),
      kind: fc.constantFrom(
        "AuthorizationPolicy",
        "VirtualService",
        "DestinationRule",
        "Telemetry",
        "RateLimitPolicy",
        "Gateway",
      ),
    }),
    object: fc.oneof(fc.jsonValue(), fc.record({ metadata: fc.jsonValue(), spec: fc.jsonValue() })),
    oldObject: fc.jsonValue(),
  });
  const property = fc.asyncProperty(review, async (fields) => {
    const body = { apiVersion: "admission.k8s.io/v1", request: { uid: "u", ...fields } };
    assert.equal(typeof (await ask(plane, JSON.stringify(body))).allowed, "boolean");
  });
  await fc.assert(property, { numRuns: 150 });
});

/** Where the API server finds the webhook: as the Service of an installation, with this process as its pod. */
async function exposeWebhook(client: KubernetesClient, port: number): Promise<void> {
  const ports = [{ name: "https-webhook", port: 443, targetPort: 15017 }];
  const labels = { "kubernetes.io/service-name": "istiod" };
  await client.create(SERVICES, { metadata: { namespace: "istio-system", name: "istiod" }, spec: { ports } });
  await client.create(ENDPOINT_SLICES, {
    metadata: { namespace: "istio-system", name: "istiod-1", labels },
    addressType: "IPv4",
    endpoints: [{ addresses: ["127.0.0.1"], conditions: { ready: true } }],
    ports: [{ name: "https-webhook", port }],
  });
}

/** The published types leave `resources` out. */
const RULE = {
  apiGroups: ["security.istio.io", "networking.istio.io", "telemetry.istio.io", "meltemi.io"],
  apiVersions: ["*"],
  operations: ["CREATE", "UPDATE"],
  resources: ["*"],
};

/** Refused by the webhook alone. */
function labelled(name: string): CustomObject {
  return policy(
    { action: "CUSTOM" },
    { name, namespace: "istio-system", labels: { "istio.io/rev": "default" } },
  );
}

function configuration(name: string, revision: string, service: object): ValidatingWebhookConfiguration {
  return {
    metadata: { name, labels: { "istio.io/rev": revision } },
    webhooks: [
      {
        name: "rev.validation.istio.io",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy: "Ignore",
        clientConfig: {
          service: { name: "istiod", namespace: "istio-system", path: "/validate", ...service },
        },
        rules: [RULE],
        objectSelector: {
          matchExpressions: [
            name === "istiod-default-validator"
              ? { key: "istio.io/rev", operator: "DoesNotExist" }
              : { key: "istio.io/rev", operator: "In", values: [revision] },
          ],
        },
      },
    ],
  };
}

test(
  "configurations get the roots at once, and fail closed once the webhook is heeded",
  deadline,
  async () => {
    await using cluster = await startCluster();
    const { client } = cluster;
    await ensureNamespace(client, "istio-system");
    const own = "istio-validator-istio-system";
    await client.create(VALIDATING_WEBHOOKS, configuration(own, "default", {}));
    await client.create(VALIDATING_WEBHOOKS, configuration("istiod-default-validator", "default", {}));
    await client.create(VALIDATING_WEBHOOKS, configuration("other-revision", "canary", {}));
    await client.create(VALIDATING_WEBHOOKS, configuration("other-name", "default", {}));
    await client.create(
      VALIDATING_WEBHOOKS,
      configuration("istio-validator-two", "default", { namespace: "istio-two" }),
    );
    await using plane = await startPlane(client);
    const caBundle = Buffer.from(plane.rootPem).toString("base64");
    const stateOf = async (name: string): Promise<readonly unknown[]> => {
      const webhook = (await client.get(VALIDATING_WEBHOOKS, { name }))?.webhooks?.[0];
      return [webhook?.clientConfig.caBundle === caBundle, webhook?.failurePolicy];
    };
    const becomes = (name: string, ...want: unknown[]): Promise<unknown> =>
      eventually(async () => JSON.stringify(await stateOf(name)) === JSON.stringify(want), {
        deadlineMs: 20_000,
      });
    await becomes(own, true, "Ignore");
    // Open until it was heard: an installation must not stand in its own way.
    await client.create(AUTHORIZATION_POLICIES, labelled("early"));
    await exposeWebhook(client, plane.port);
    await becomes(own, true, "Fail");
    await becomes("istiod-default-validator", true, "Fail");
    assert.deepEqual(await stateOf("other-revision"), [false, "Ignore"]);
    assert.deepEqual(await stateOf("other-name"), [false, "Ignore"]);
    assert.deepEqual(await stateOf("istio-validator-two"), [false, "Ignore"]);
    await assert.rejects(
      client.create(AUTHORIZATION_POLICIES, labelled("late")),
      /admission webhook "rev\.validation\.istio\.io" denied the request: configuration is invalid: spec\.provider\.name: /,
    );
    const operations = [
      { op: "replace", path: "/webhooks/0/failurePolicy", value: "Ignore" },
      {
        op: "replace",
        path: "/webhooks/0/clientConfig/caBundle",
        value: Buffer.from("x").toString("base64"),
      },
    ] as const;
    await client.patch(VALIDATING_WEBHOOKS, { name: own }, { kind: "json", operations });
    await becomes(own, true, "Fail");
  },
);

test(
  "ISTIOD_CUSTOM_HOST: an API server elsewhere may know the control plane by another name",
  deadline,
  async () => {
    await using cluster = await startCluster();
    await using plane = await startPlane(cluster.client, { ISTIOD_CUSTOM_HOST: "istiod.example.com" });
    assert.equal((await send(plane, reviewOf(BAD), { servername: "istiod.example.com" })).status, 200);
    await assert.rejects(send(plane, "", { servername: "other.example.com" }));
  },
);

test("VALIDATION_WEBHOOK_CONFIG_NAME empty leaves the configurations to others", deadline, async () => {
  await using cluster = await startCluster();
  const { client } = cluster;
  const name = "istio-validator-istio-system";
  await client.create(VALIDATING_WEBHOOKS, configuration(name, "default", {}));
  await using plane = await startPlane(client, { VALIDATION_WEBHOOK_CONFIG_NAME: "" });
  assert.equal((await ask(plane, reviewOf(BAD))).allowed, false);
  const found = await client.get(VALIDATING_WEBHOOKS, { name });
  assert.equal(found?.webhooks?.[0]?.clientConfig.caBundle, undefined);
});
