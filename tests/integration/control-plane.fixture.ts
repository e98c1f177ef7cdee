/** A real API server and a real control plane in this process, on loopback, with real certificates and tokens. */

import { randomBytes } from "node:crypto";
import {
  AUTHORIZATION_POLICIES,
  type ClusterAccess,
  CUSTOM_RESOURCE_DEFINITIONS,
  type CustomResourceDefinition,
  createKubernetesClient,
  type KubernetesClient,
  NAMESPACES,
  PODS,
  type Pod,
  SERVICE_ACCOUNTS,
  staticToken,
  withServedVersions,
} from "@meltemi/kubernetes";
import { customResourceDefinitions } from "@meltemi/resources";
import { createLogger, LogFilter, type Logger, systemClock } from "@meltemi/runtime";
import { createTestAuthority, eventually } from "@meltemi/testkit";
import {
  createXdsClient,
  type RejectedResource,
  type TerminationReason,
  type XdsClient,
  type XdsClientOptions,
  type XdsUpdate,
} from "@meltemi/xds";
import { createRotatingCredentials } from "../../components/control-plane/src/certificate-authority/server-certificate.ts";
import { createTokenAuthenticator } from "../../components/control-plane/src/certificate-authority/token-authenticator.ts";
import { DEFAULT_TRAFFIC } from "../../components/control-plane/src/compile/l7/traffic-settings.ts";
import { type ControlPlane, createControlPlane } from "../../components/control-plane/src/control-plane.ts";
import {
  createClusterAuthority,
  createServiceAccountKey,
  issueCertificate,
  kubeconfigText,
} from "../../components/local-cluster/src/api-server/credentials.ts";
import { type ApiServer, createApiServer } from "../../components/local-cluster/src/api-server/server.ts";

export const ADMIN_TOKEN = "integration-admin-token";

export function quietLogger(): Logger {
  const level = process.env["TEST_LOG"] === "1" ? "debug" : "off";
  return createLogger(
    {
      filter: new LogFilter(level),
      format: "plain",
      nowMs: () => Date.now(),
      write: (line) => process.stderr.write(line),
    },
    "test",
  );
}

export interface TestCluster extends AsyncDisposable {
  readonly client: KubernetesClient;
  readonly port: number;
  /** For kubectl, as the administrator. */
  readonly kubeconfig: string;
  /** Stops the API server and starts it again on the same port with the same state. */
  restart(): Promise<void>;
}

/** `statePath`: a file when the state must survive a restart. */
export async function startCluster(statePath = ":memory:"): Promise<TestCluster> {
  const nowMs = Date.now();
  const authority = createClusterAuthority("test", nowMs);
  const serving = issueCertificate(
    authority,
    "test",
    { commonName: "api", subjectAlternativeNames: ["127.0.0.1"], use: "server" },
    nowMs,
  );
  const keyPem = createServiceAccountKey();
  const start = (port: number): Promise<ApiServer> =>
    createApiServer(
      {
        statePath,
        tls: { keyPem: serving.keyPem, certPem: serving.certPem, caPem: authority.certPem },
        listeners: [{ kind: "address", host: "127.0.0.1", port }],
        serviceAccountIssuer: "https://kubernetes.default.svc",
        serviceAccountKeyPem: keyPem,
        adminToken: ADMIN_TOKEN,
        clusterName: "test",
      },
      {
        clock: systemClock,
        logger: quietLogger(),
        // biome-ignore lint/correctness/useYield: no pod runs here, so there is no log
        podLogs: async function* () {
          throw new Error("no pod runs in this cluster");
        },
      },
    );
  let server = await start(0);
  const port = server.addresses[0]?.port ?? 0;
  const access: ClusterAccess = {
    server: new URL(`https://127.0.0.1:${port}`),
    certificateAuthority: authority.certPem,
    token: staticToken(ADMIN_TOKEN),
    defaultNamespace: "default",
  };
  const client = withServedVersions(createKubernetesClient(access, { clock: systemClock }));
  await createDefinitions(client);
  return {
    client,
    port,
    kubeconfig: kubeconfigText({
      clusterName: "test",
      server: `https://127.0.0.1:${port}`,
      caPem: authority.certPem,
      user: { kind: "token", token: ADMIN_TOKEN },
    }),
    async restart() {
      await server.close();
      server = await start(port);
    },
    async [Symbol.asyncDispose]() {
      client.close();
      await server.close();
    },
  };
}

async function createDefinitions(client: KubernetesClient): Promise<void> {
  for (const definition of customResourceDefinitions())
    await client.create(CUSTOM_RESOURCE_DEFINITIONS, definition as CustomResourceDefinition);
  await eventually(() => client.list(AUTHORIZATION_POLICIES).then(() => true));
}

export interface TestControlPlane extends AsyncDisposable {
  readonly plane: ControlPlane;
  readonly securePort: number;
  readonly plainPort: number;
  readonly httpPort: number;
  readonly monitoringPort: number;
  readonly rootPem: string;
}

export async function startControlPlane(
  cluster: Pick<TestCluster, "client">,
  options: { readonly requireToken?: boolean; readonly securePort?: number } = {},
): Promise<TestControlPlane> {
  const authority = createTestAuthority();
  const pair = authority.serverPem("istiod.istio-system.svc", "localhost");
  const { client } = cluster;
  const plane = createControlPlane(
    {
      compile: {
        clusterId: "Kubernetes",
        trustDomain: "cluster.local",
        rootNamespace: "istio-system",
        clusterDomain: "cluster.local",
        dryRunPolicies: false,
        traffic: DEFAULT_TRAFFIC,
      },
      debounce: { leadingMs: 1, quietMs: 20, maxMs: 200 },
      requireToken: options.requireToken ?? true,
      blockedKeyAddresses: [],
    },
    {
      client,
      clock: systemClock,
      random: Math.random,
      logger: quietLogger(),
      authenticator: createTokenAuthenticator({ audiences: ["istio-ca"] }, { client, clock: systemClock }),
    },
  );
  const credentials = createRotatingCredentials({
    onChange(listener) {
      listener({ certificate: pair.cert, privateKey: pair.key, notAfterMs: Number.POSITIVE_INFINITY });
      return () => undefined;
    },
  });
  const ports = await plane.listen(
    {
      secure: { address: `127.0.0.1:${options.securePort ?? 0}`, credentials },
      plain: "127.0.0.1:0",
      http: "127.0.0.1:0",
      monitoring: "127.0.0.1:0",
    },
    [],
  );
  await plane.ready;
  return {
    plane,
    securePort: ports.secure ?? 0,
    plainPort: ports.plain ?? 0,
    httpPort: ports.http ?? 0,
    monitoringPort: ports.monitoring ?? 0,
    rootPem: authority.rootPem,
    [Symbol.asyncDispose]: () => plane[Symbol.asyncDispose](),
  };
}

/** A service account in it, and a token of that account for the control plane. */
export async function createToken(
  client: KubernetesClient,
  namespace: string,
  serviceAccount: string,
  audiences: readonly string[] = ["istio-ca"],
): Promise<string> {
  await ensureNamespace(client, namespace);
  await client
    .create(SERVICE_ACCOUNTS, { metadata: { namespace, name: serviceAccount } })
    .catch(() => undefined);
  const { token } = await client.createToken({ namespace, name: serviceAccount }, { audiences });
  return token;
}

export async function ensureNamespace(client: KubernetesClient, name: string): Promise<void> {
  if ((await client.get(NAMESPACES, { name })) === undefined)
    await client.create(NAMESPACES, { metadata: { name } });
  const account = { namespace: name, name: "default" };
  // No controller runs here that would make it.
  if ((await client.get(SERVICE_ACCOUNTS, account)) === undefined)
    await client.create(SERVICE_ACCOUNTS, { metadata: account });
}

/** What a subscriber has: the state after all updates, and the updates themselves. */
export interface Subscriber extends AsyncDisposable {
  readonly client: XdsClient;
  readonly updates: XdsUpdate[];
  /** Name → value of all that it holds. */
  readonly held: Map<string, unknown>;
  /** How its streams ended. */
  readonly ends: TerminationReason[];
  /** Names to refuse from now on. */
  readonly refuse: Set<string>;
}

export function subscribe(
  plane: Pick<TestControlPlane, "securePort" | "rootPem">,
  token: string | undefined,
  overrides: Partial<XdsClientOptions> = {},
): Subscriber {
  const updates: XdsUpdate[] = [];
  const held = new Map<string, unknown>();
  const refuse = new Set<string>();
  const ends: TerminationReason[] = [];
  const onUpdate = (update: XdsUpdate): readonly RejectedResource[] => {
    updates.push(update);
    const rejected: RejectedResource[] = [];
    for (const { name, value } of update.upserts) {
      if (refuse.has(name)) rejected.push({ name, reason: "refused by the test" });
      else held.set(name, value);
    }
    for (const name of update.removedNames) held.delete(name);
    return rejected;
  };
  const client = createXdsClient(
    {
      address: `https://127.0.0.1:${plane.securePort}`,
      alternateHostname: "istiod.istio-system.svc",
      node: {
        id: "ztunnel~10.0.0.9~ztunnel-a.istio-system~istio-system.svc.cluster.local",
        metadata: { NAME: "ztunnel-a", NAMESPACE: "istio-system", NODE_NAME: "node-a" },
      },
      clusterId: "Kubernetes",
      ...overrides,
    },
    {
      clock: systemClock,
      logger: quietLogger(),
      random: Math.random,
      rootCertificates: () => Promise.resolve(plane.rootPem),
      token: () => Promise.resolve(token),
      onUpdate,
      metrics: { message: () => undefined, terminated: (reason) => ends.push(reason) },
    },
  );
  client.start();
  return { client, updates, held, refuse, ends, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() };
}

/** A pod that runs: created, then given a status as a kubelet would. */
export async function createRunningPod(
  client: KubernetesClient,
  pod: {
    readonly namespace: string;
    readonly name: string;
    readonly ip: string;
    readonly node?: string;
    readonly labels?: Record<string, string>;
    readonly captured?: boolean;
  },
): Promise<Pod> {
  const { namespace, name, ip, node = "node-a", labels = {}, captured = true } = pod;
  await client.create(PODS, {
    metadata: {
      namespace,
      name,
      labels,
      annotations: captured ? { "ambient.istio.io/redirection": "enabled" } : {},
    },
    spec: { nodeName: node, containers: [{ name: "app", image: "app" }] },
  });
  const status = {
    phase: "Running",
    podIP: ip,
    podIPs: [{ ip }],
    conditions: [{ type: "Ready", status: "True" }],
  };
  return await client.patch(
    PODS,
    { namespace, name },
    { kind: "merge", body: { status } },
    { subresource: "status" },
  );
}

/** A request id that no other test uses. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(4).toString("hex")}`;
}
