/** The cluster's API server with a large cluster in it, as a process of its own. Arguments: folder for its files, pods. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  AUTHORIZATION_POLICIES,
  CUSTOM_RESOURCE_DEFINITIONS,
  type CustomResourceDefinition,
  createKubernetesClient,
  type KubernetesObject,
  loadKubeconfig,
  NAMESPACES,
  SERVICE_ACCOUNTS,
} from "@meltemi/kubernetes";
import { customResourceDefinitions } from "@meltemi/resources";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { eventually } from "@meltemi/testkit";
import {
  createAdminToken,
  createClusterAuthority,
  createServiceAccountKey,
  issueCertificate,
  kubeconfigText,
} from "../../../components/local-cluster/src/api-server/credentials.ts";
import type { KubeObject } from "../../../components/local-cluster/src/api-server/kube-object.ts";
import { openCluster } from "../../../components/local-cluster/src/api-server/open-cluster.ts";
import { createApiServer } from "../../../components/local-cluster/src/api-server/server.ts";
import { largeCluster } from "./large-cluster.ts";

const [folder = "", pods = "0"] = process.argv.slice(2);
const statePath = join(folder, "state.db");
const content = largeCluster(Number(pods));
const nowMs = Date.now();

/** Straight into the state: ten thousand creations over the API would take longer than all that is measured. */
function fill(): void {
  const { store } = openCluster({ statePath }, { clock: systemClock }).cluster;
  const put = (resource: string, objects: readonly KubernetesObject[], named: object): unknown =>
    store.commit(
      objects.map((object) => ({
        kind: "put",
        resource,
        object: { ...named, ...object } as unknown as KubeObject,
      })),
    );
  put("/namespaces", content.namespaces, { apiVersion: "v1", kind: "Namespace" });
  put("/pods", content.pods, { apiVersion: "v1", kind: "Pod" });
  put("/services", content.services, { apiVersion: "v1", kind: "Service" });
  put("discovery.k8s.io/endpointslices", content.endpointSlices, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
  });
  store.close();
}

async function serve(): Promise<string> {
  const authority = createClusterAuthority("bench", nowMs);
  const names = { commonName: "api", subjectAlternativeNames: ["127.0.0.1"], use: "server" } as const;
  const { keyPem, certPem } = issueCertificate(authority, "bench", names, nowMs);
  const adminToken = createAdminToken();
  const server = await createApiServer(
    {
      statePath,
      tls: { keyPem, certPem, caPem: authority.certPem },
      listeners: [{ kind: "address", host: "127.0.0.1", port: 0 }],
      serviceAccountIssuer: "https://kubernetes.default.svc",
      serviceAccountKeyPem: createServiceAccountKey(),
      adminToken,
      clusterName: "bench",
    },
    {
      clock: systemClock,
      logger: createLogger(
        {
          filter: new LogFilter("error"),
          format: "plain",
          nowMs: () => Date.now(),
          write: (line) => process.stderr.write(line),
        },
        "api-server",
      ),
      // biome-ignore lint/correctness/useYield: no pod runs here, so there is no log
      podLogs: async function* () {
        throw new Error("no pod runs in this cluster");
      },
    },
  );
  return kubeconfigText({
    clusterName: "bench",
    server: `https://127.0.0.1:${server.addresses[0]?.port}`,
    caPem: authority.certPem,
    user: { kind: "token", token: adminToken },
  });
}

/** What needs definitions, or is asked for by name. */
async function complete(kubeconfig: string): Promise<void> {
  const client = createKubernetesClient(loadKubeconfig(kubeconfig), { clock: systemClock });
  for (const definition of customResourceDefinitions())
    await client.create(CUSTOM_RESOURCE_DEFINITIONS, definition as CustomResourceDefinition);
  await eventually(() => client.list(AUTHORIZATION_POLICIES).then(() => true));
  for (const policy of content.policies) await client.create(AUTHORIZATION_POLICIES, policy);
  await client.create(NAMESPACES, { metadata: { name: "istio-system" } });
  await client.create(SERVICE_ACCOUNTS, { metadata: { namespace: "istio-system", name: "ztunnel" } });
  client.close();
}

fill();
const kubeconfig = await serve();
await complete(kubeconfig);
writeFileSync(join(folder, "kubeconfig"), kubeconfig, { mode: 0o600 });
process.on("disconnect", () => process.exit(0));
process.send?.("ready");
