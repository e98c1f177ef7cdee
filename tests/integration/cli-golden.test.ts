/**
 * What commands print of a cluster whose objects are known, as tables and as JSON. Goldens are reviewed by hand; only times, tokens,
 * certificates and ports are put aside. What needs proxies that run is in tests/network-namespaces/cli-inspect.test.ts.
 */

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import {
  AUTHORIZATION_POLICIES,
  GATEWAYS,
  HTTP_ROUTES,
  type KubernetesClient,
  NAMESPACES,
  NODES,
  PODS,
  SERVICES,
} from "@meltemi/kubernetes";
import { createCommandScene, goldenOf } from "./cli.fixture.ts";
import { ensureNamespace } from "./control-plane.fixture.ts";

const deadline = { timeout: 120_000 };
const text = { serializers: [String] };

const AMBIENT = { "istio.io/dataplane-mode": "ambient", "istio.io/use-waypoint": "waypoint" };

async function createPod(
  client: KubernetesClient,
  namespace: string,
  name: string,
  labels: Record<string, string>,
  image: string,
): Promise<void> {
  await client.create(PODS, {
    metadata: {
      namespace,
      name,
      labels,
      ...(namespace === "shop" && { annotations: { "ambient.istio.io/redirection": "enabled" } }),
    },
    spec: {
      nodeName: "node-1",
      containers: [{ name: "main", image, ports: [{ containerPort: 8080 }] }],
    },
  } as never);
  const conditions = [{ type: "Ready", status: "True" }];
  const status = { phase: "Running", podIP: "10.244.1.7", podIPs: [{ ip: "10.244.1.7" }], conditions };
  await client.patch(
    PODS,
    { namespace, name },
    { kind: "merge", body: { status } },
    { subresource: "status" },
  );
}

/** A shop with one service behind a waypoint, a policy, and a route with a backend that is missing. */
async function fill(client: KubernetesClient): Promise<void> {
  for (const namespace of ["istio-system", "shop"]) await ensureNamespace(client, namespace);
  await client.patch(
    NAMESPACES,
    { name: "shop" },
    { kind: "merge", body: { metadata: { labels: AMBIENT } } },
  );
  await client.create(NODES, {
    metadata: { name: "node-1" },
    status: { nodeInfo: { kernelVersion: "4.19.0" } },
  } as never);
  await createPod(client, "istio-system", "istiod-1", { app: "istiod" }, "docker.io/meltemi/pilot:1.2.3");
  await createPod(client, "istio-system", "ztunnel-1", { app: "ztunnel" }, "docker.io/meltemi/ztunnel:1.2.2");
  await createPod(client, "shop", "server-1", { app: "server" }, "example/server:1");
  await client.create(SERVICES, {
    metadata: { namespace: "shop", name: "server", annotations: { "meltemi.io/waypoint-required": "yes" } },
    spec: { selector: { app: "server" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
  } as never);
  await client.create(GATEWAYS, {
    metadata: { namespace: "shop", name: "waypoint" },
    spec: {
      gatewayClassName: "istio-waypoint",
      listeners: [{ name: "mesh", port: 15008, protocol: "HBONE" }],
    },
  } as never);
  const condition = {
    type: "Programmed",
    status: "True",
    reason: "Programmed",
    message: "Resource programmed",
    lastTransitionTime: "2026-01-01T00:00:00Z",
    observedGeneration: 1,
  };
  const gateway = { namespace: "shop", name: "waypoint" };
  const body = { status: { conditions: [condition] } };
  await client.patch(GATEWAYS, gateway, { kind: "merge", body }, { subresource: "status" });
  await client.create(HTTP_ROUTES, {
    metadata: { namespace: "shop", name: "canary" },
    spec: {
      parentRefs: [{ group: "", kind: "Service", name: "server", port: 80 }],
      rules: [
        {
          backendRefs: [
            { name: "server", port: 80 },
            { name: "server-v2", port: 80 },
          ],
        },
      ],
    },
  });
  await client.create(AUTHORIZATION_POLICIES, {
    metadata: { namespace: "shop", name: "readers" },
    spec: {
      targetRefs: [{ group: "", kind: "Service", name: "server" }],
      rules: [{ to: [{ operation: { methods: ["GET"] } }] }],
    },
  });
}

/** What no two runs have in common. */
function plain(said: string): string {
  return said
    .replaceAll(/https:\/\/127\.0\.0\.1:\d+/g, "https://127.0.0.1:<port>")
    .replaceAll(/(token|certificate-authority-data): \S+/g, "$1: <secret>")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>");
}

const COMMANDS = [
  "version",
  "version -o json",
  "manifest diff <folder>/objects.yaml",
  "manifest diff <folder>/objects.yaml -o json",
  "manifest diff <folder>/unknown.yaml",
  "x precheck",
  "x precheck -o json",
  "waypoint list -A",
  "waypoint list -n shop -o json",
  "waypoint status -n shop",
  "waypoint status -A -o json",
  "waypoint delete other -n shop",
  "x describe service server.shop",
  "x describe pod server-1.shop",
  "analyze -n shop",
  "analyze -n shop -o json",
  "analyze -A --output-threshold Error",
  "create-remote-secret --name east",
  "bug-report --dry-run",
  "dashboard grafana --browser=false",
  "x metrics deploy/server.shop",
  "ztunnel-config workload --node node-9",
  "proxy-config route deploy/waypoint.shop",
  "waypoint list -A --context other",
  "waypoint list -A --as ann",
  "waypoint list --as-group admins",
  "tag set prod --revision default",
];

const OBJECTS = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: readers, namespace: shop }
spec:
  targetRefs: [{ group: "", kind: Service, name: server }]
  rules: [{ to: [{ operation: { methods: [GET, HEAD] } }] }]
---
apiVersion: v1
kind: Secret
metadata: { name: keys }
stringData: { key: hidden }
`;
const UNKNOWN = "apiVersion: example.org/v1\nkind: Nothing\nmetadata: { name: a }\n";

test("commands of a cluster", deadline, async (t) => {
  await using scene = await createCommandScene();
  await fill(scene.client);
  await writeFile(join(scene.folder, "objects.yaml"), OBJECTS);
  await writeFile(join(scene.folder, "unknown.yaml"), UNKNOWN);
  for (const words of COMMANDS) {
    const said = goldenOf(words, await scene.istioctl(words.replaceAll("<folder>", scene.folder)));
    t.assert.snapshot(plain(said).replaceAll(scene.folder, "<folder>"), text);
  }
});

const POLICY = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: readers, namespace: shop }
spec: { action: PERHAPS }
`;
const OPERATOR = `apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
spec:
  profile: ambient
  meshConfig: { trustDomain: td }
  values: { ztunnel: { logLevel: debug } }
  components: { pilot: { k8s: { resources: { requests: { cpu: 250m } } } } }
`;
const WITHOUT_CLUSTER = [
  "version --remote=false -o yaml",
  "waypoint generate",
  "waypoint generate -n shop --name w --for all --high-availability -o json",
  "analyze --list-analyzers",
  "analyze --use-kube=false <folder>/policy.yaml",
  "analyze --use-kube=false <folder>/policy.yaml -o json",
  "validate -f <folder>/policy.yaml",
  "manifest translate -f <folder>/operator.yaml",
  "manifest translate --set profile=empty",
  "completion bash",
  "completion fish",
  "completion zsh",
  "completion powershell",
];

test("commands that ask no cluster", deadline, async (t) => {
  await using scene = await createCommandScene();
  await writeFile(join(scene.folder, "policy.yaml"), POLICY);
  await writeFile(join(scene.folder, "operator.yaml"), OPERATOR);
  for (const words of WITHOUT_CLUSTER) {
    const said = goldenOf(words, await scene.istioctl(words.replaceAll("<folder>", scene.folder)));
    t.assert.snapshot(said.replaceAll(scene.folder, "<folder>"), text);
  }
  assert.equal((await scene.istioctl("analyze --use-kube=false /nonexistent/x.yaml")).code, 1);
});
