import assert from "node:assert/strict";
import { test } from "node:test";
import { ip, type Workload } from "@meltemi/model";
import {
  authorizationPolicyFacts,
  namespaceFacts,
  peerAuthenticationFacts,
  podFacts,
  SETTINGS,
  serviceEntryFacts,
  serviceFacts,
} from "./facts.fixture.ts";
import { createMeshCompiler, type MeshCompiler } from "./mesh-compiler.ts";

const noFault = (collection: string, key: string, error: unknown): void => {
  throw new Error(`${collection} ${key}`, { cause: error });
};

function compilerOf(fill: (inputs: MeshCompiler["inputs"]) => void): MeshCompiler {
  const compiler = createMeshCompiler(SETTINGS, noFault);
  fill(compiler.inputs);
  compiler.flush();
  return compiler;
}

const POD_UID = "Kubernetes//Pod/ns/a";
const SERVICE_KEY = "ns/svc.ns.svc.cluster.local";

function podWorkload(
  pod: Parameters<typeof podFacts>[0],
  fill: Parameters<typeof compilerOf>[0] = () => undefined,
) {
  const compiler = compilerOf((inputs) => {
    fill(inputs);
    inputs.pods.put("ns/a", podFacts(pod));
  });
  return compiler.outputs.workloads.get(POD_UID);
}

const pods: readonly {
  readonly name: string;
  readonly pod: Parameters<typeof podFacts>[0];
  readonly fill?: Parameters<typeof compilerOf>[0];
  readonly want: Partial<Workload> | undefined;
}[] = [
  { name: "not running, without an address", pod: { ips: [] }, want: undefined },
  { name: "terminated, with an address", pod: { terminated: true }, want: undefined },
  { name: "not ready", pod: { healthy: false }, want: { status: "unhealthy" } },
  {
    name: "plain",
    pod: {},
    want: { tunnelProtocol: "none", nativeTunnel: false, status: "healthy", workloadType: "pod" },
  },
  { name: "captured", pod: { captured: true }, want: { tunnelProtocol: "hbone", nativeTunnel: false } },
  {
    name: "speaking HBONE by itself",
    pod: { labels: { "networking.istio.io/tunnel": "http" } },
    want: { tunnelProtocol: "hbone", nativeTunnel: true },
  },
  { name: "on the host network", pod: { hostNetwork: true }, want: { networkMode: "hostNetwork" } },
  {
    name: "locality of its node",
    pod: {},
    fill: (inputs) => inputs.nodes.put("node-a", { name: "node-a", region: "r", zone: "z", subzone: "s" }),
    want: { locality: { region: "r", zone: "z", subzone: "s" } },
  },
  {
    name: "locality by its own label",
    pod: { labels: { "istio-locality": "r1.z1" } },
    want: { locality: { region: "r1", zone: "z1", subzone: "" } },
  },
  {
    name: "network by its own label",
    pod: { labels: { "topology.istio.io/network": "n1" } },
    want: { network: "n1" },
  },
  {
    name: "network of the system namespace",
    pod: {},
    fill: (inputs) =>
      inputs.namespaces.put("istio-system", namespaceFacts({ name: "istio-system", network: "n2" })),
    want: { network: "n2" },
  },
  {
    name: "canonical name and revision by label",
    pod: { labels: { app: "x", "app.kubernetes.io/name": "y", version: "v2" } },
    want: { canonicalName: "y", canonicalRevision: "v2" },
  },
  {
    name: "canonical name by default",
    pod: { workloadName: "deploy" },
    want: { canonicalName: "deploy", canonicalRevision: "latest", workloadName: "deploy" },
  },
  {
    name: "with a service, number and name of ports, one that it lacks",
    pod: { labels: { app: "a" }, namedPorts: { web: 9000 } },
    fill: (inputs) =>
      inputs.services.put(
        "ns/svc",
        serviceFacts({
          selector: { app: "a" },
          ports: [
            { name: "n", port: 1, targetPort: 2, appProtocol: "tcp" },
            { name: "w", port: 3, targetPort: "web", appProtocol: "http11" },
            { name: "x", port: 5, targetPort: "none", appProtocol: "http11" },
          ],
        }),
      ),
    want: {
      services: new Map([
        [
          SERVICE_KEY,
          [
            { servicePort: 1, targetPort: 2, appProtocol: "tcp" },
            { servicePort: 3, targetPort: 9000, appProtocol: "http11" },
          ],
        ],
      ]),
    },
  },
  {
    name: "a service of another namespace, one without selector, one that wants more labels",
    pod: { labels: { app: "a" } },
    fill: (inputs) => {
      inputs.services.put("else/svc", serviceFacts({ namespace: "else", selector: { app: "a" } }));
      inputs.services.put("ns/none", serviceFacts({ name: "none" }));
      inputs.services.put("ns/more", serviceFacts({ name: "more", selector: { app: "a", tier: "b" } }));
    },
    want: { services: new Map() },
  },
  {
    name: "a service without selector that names it in a slice",
    pod: {},
    fill: (inputs) => {
      inputs.services.put("ns/svc", serviceFacts());
      inputs.endpointSlices.put("ns/slice", {
        namespace: "ns",
        name: "slice",
        serviceName: "svc",
        ports: [{ name: "http", port: 7777 }],
        endpoints: [{ ips: [ip("10.0.0.1")], healthy: true, podName: "a" }],
      });
    },
    want: {
      services: new Map([[SERVICE_KEY, [{ servicePort: 80, targetPort: 7777, appProtocol: "http11" }]]]),
    },
  },
  {
    name: "a ServiceEntry that selects it: its port by name",
    pod: { labels: { app: "a" }, namedPorts: { http: 8888 } },
    fill: (inputs) =>
      inputs.serviceEntries.put("ns/se", serviceEntryFacts({ workloadSelector: { app: "a" } })),
    want: {
      services: new Map([["ns/a.example", [{ servicePort: 80, targetPort: 8888, appProtocol: "http11" }]]]),
    },
  },
  {
    name: "policies that select it: in its namespace and the root one, sorted; not others",
    pod: { labels: { app: "a" } },
    fill: (inputs) => {
      const put = (namespace: string, name: string, selector: Record<string, string>): void => {
        inputs.authorizationPolicies.put(
          `${namespace}/${name}`,
          authorizationPolicyFacts({ namespace, name, selector }),
        );
      };
      put("ns", "z", { app: "a" });
      put("istio-system", "root", { app: "a" });
      put("ns", "all", {});
      put("else", "e", { app: "a" });
      put("ns", "other", { app: "b" });
      inputs.authorizationPolicies.put(
        "ns/audit",
        authorizationPolicyFacts({ name: "audit", selector: { app: "a" }, action: "AUDIT" }),
      );
    },
    want: { authorizationPolicies: ["istio-system/root", "ns/z"] },
  },
  {
    name: "strict by its namespace",
    pod: {},
    fill: (inputs) => inputs.peerAuthentications.put("ns/pa", peerAuthenticationFacts()),
    want: { authorizationPolicies: ["istio-system/istio_converted_static_strict"] },
  },
  {
    name: "a selector in the root namespace is no PeerAuthentication for ambient",
    pod: { labels: { app: "a" } },
    fill: (inputs) =>
      inputs.peerAuthentications.put(
        "istio-system/pa",
        peerAuthenticationFacts({ namespace: "istio-system", selector: { app: "a" } }),
      ),
    want: { authorizationPolicies: [] },
  },
];

for (const { name, pod, fill, want } of pods) {
  test(`pod: ${name}`, () => {
    const workload = podWorkload(pod, fill);
    if (want === undefined) assert.equal(workload, undefined);
    else
      for (const [field, value] of Object.entries(want))
        assert.deepEqual(workload?.[field as keyof Workload], value, field);
  });
}
