import assert from "node:assert/strict";
import { test } from "node:test";
import { checkTagName, readTags, serviceOfRevision, tagService } from "./tags.ts";

const ISTIOD = {
  metadata: { name: "istiod", namespace: "istio-system", labels: { app: "istiod", "istio.io/rev": "1-2" } },
  spec: {
    clusterIP: "10.0.0.1",
    ports: [{ name: "https-dns", port: 15_012, protocol: "TCP", targetPort: 15_012 }],
    selector: { app: "istiod", "istio.io/rev": "1-2" },
  },
};

test("a tag is a Service before the same pods, with an address of its own", () => {
  assert.deepEqual(tagService("prod", "1-2", ISTIOD), {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: "istiod-revision-tag-prod",
      namespace: "istio-system",
      labels: {
        app: "istiod",
        "istio.io/rev": "1-2",
        "istio.io/tag": "prod",
        "app.kubernetes.io/name": "istiod",
      },
    },
    spec: { ports: ISTIOD.spec.ports, selector: ISTIOD.spec.selector },
  });
});

test("tags are read back, with the namespaces that name them", () => {
  const services = [ISTIOD, tagService("prod", "1-2", ISTIOD)];
  const namespaces = [
    { name: "b", revision: "prod" },
    { name: "a", revision: "prod" },
    { name: "c", revision: "1-2" },
  ];
  assert.deepEqual(readTags(services, namespaces), [
    { tag: "prod", revision: "1-2", namespaces: ["a", "b"] },
  ]);
  assert.equal(serviceOfRevision(services.toReversed(), "1-2"), ISTIOD);
  assert.equal(serviceOfRevision(services, "1-3"), undefined);
});

for (const name of ["", "Prod", "-a", "1a", "a_b", "a".repeat(43)])
  test(`no tag: ${JSON.stringify(name)}`, () =>
    assert.throws(() => checkTagName(name), { code: "INPUT_INVALID" }));
