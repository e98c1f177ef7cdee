/** A webhook server over TLS on loopback: each path answers as the test says, and every question is kept. */
import { createServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { after, afterEach, before } from "node:test";
import {
  createClusterAuthority,
  issueCertificate,
} from "../../components/local-cluster/src/api-server/credentials.ts";
import { startTestCluster, type TestCluster } from "./api-server.fixture.ts";

export interface Question {
  readonly path: string;
  readonly request: Record<string, unknown>;
}

export interface Reply {
  readonly allowed?: boolean;
  readonly status?: object;
  readonly warnings?: readonly string[];
  /** Operations of a JSON patch. */
  readonly patch?: readonly object[];
}

/** What a path does: a reply, a raw body, or undefined to say nothing at all. */
type Behaviour = (request: Record<string, unknown>) => Reply | string | number | undefined | Promise<Reply>;

export interface WebhookServer {
  readonly port: number;
  /** Base64, for `caBundle`. */
  readonly caBundle: string;
  readonly questions: Question[];
  connections(): number;
  on(path: string, behaviour: Behaviour): void;
  close(): Promise<void>;
}

export async function startWebhookServer(): Promise<WebhookServer> {
  const authority = createClusterAuthority("webhook-ca", Date.now());
  const certificate = issueCertificate(
    authority,
    "webhook-ca",
    {
      commonName: "webhook",
      subjectAlternativeNames: ["localhost", "127.0.0.1", "hook.hooks.svc"],
      use: "server",
    },
    Date.now(),
  );
  const behaviours = new Map<string, Behaviour>();
  const questions: Question[] = [];
  let connections = 0;
  const server = createServer({ key: certificate.keyPem, cert: certificate.certPem }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const path = new URL(request.url ?? "/", "https://x").pathname;
      const review = JSON.parse(Buffer.concat(chunks).toString()) as { request: Record<string, unknown> };
      questions.push({ path, request: review.request });
      void Promise.resolve(behaviours.get(path)?.(review.request)).then((reply) => {
        if (reply === undefined) return;
        if (typeof reply === "number") response.writeHead(reply).end("out of order");
        else response.end(typeof reply === "string" ? reply : answer(review.request, reply));
      });
    });
  });
  server.on("secureConnection", (_socket: Socket) => connections++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    caBundle: Buffer.from(authority.certPem).toString("base64"),
    questions,
    connections: () => connections,
    on: (path, behaviour) => void behaviours.set(path, behaviour),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(request: Record<string, unknown>, reply: Reply): string {
  const { patch, ...rest } = reply;
  const patched =
    patch === undefined
      ? {}
      : { patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(patch)).toString("base64") };
  const response = { uid: request["uid"], allowed: true, ...rest, ...patched };
  return JSON.stringify({ apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response });
}

/** A rule about config maps. */
export const MAPS: Readonly<Record<string, readonly string[]>> = {
  operations: ["*"],
  apiGroups: [""],
  apiVersions: ["v1"],
  resources: ["configmaps"],
};

export interface Hook {
  readonly path: string;
  readonly kind?: "Validating" | "Mutating";
  readonly [key: string]: unknown;
}

export interface HookedCluster extends TestCluster {
  readonly hooks: WebhookServer;
  /** Configurations a, b, …: one for each hook. Gone after the test. */
  configure(...hooks: readonly Hook[]): Promise<void>;
}

/** An API server with the namespaces shop, bank and hooks, and a webhook server beside it, for the tests of one file. */
export async function startHookedCluster(): Promise<HookedCluster> {
  const hooks = await startWebhookServer();
  const cluster = await startTestCluster();
  const { kubectl, feed } = cluster;
  before(async () => {
    for (const name of ["shop", "bank", "hooks"]) await kubectl("create", "namespace", name);
    await kubectl("label", "namespace", "shop", "team=shop");
  });
  after(async () => {
    await cluster.close();
    await hooks.close();
  });
  afterEach(async () => {
    await kubectl("delete", "validatingwebhookconfigurations,mutatingwebhookconfigurations", "--all");
    hooks.questions.length = 0;
  });
  return {
    ...cluster,
    hooks,
    async configure(...all) {
      for (const [index, hook] of all.entries())
        await feed(JSON.stringify(configurationOf(hooks, hook, String.fromCharCode(97 + index))), "apply");
    },
  };
}

function configurationOf(hooks: WebhookServer, hook: Hook, name: string): object {
  const { path, kind = "Validating", ...rest } = hook;
  const webhook = {
    name: `${path.slice(1)}.hooks.example`,
    clientConfig: { url: `https://localhost:${hooks.port}${path}`, caBundle: hooks.caBundle },
    rules: [MAPS],
    sideEffects: "None",
    admissionReviewVersions: ["v1"],
    timeoutSeconds: 1,
    ...rest,
  };
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: `${kind}WebhookConfiguration`,
    metadata: { name },
    webhooks: [webhook],
  };
}

export const createMap = (name: string, ...more: string[]): string[] => [
  ...["create", "configmap", name, "-n", "shop", "--from-literal=a=1"],
  ...more,
];
