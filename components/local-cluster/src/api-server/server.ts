/** The local cluster's API server: wires the store, the resources and the identities behind HTTPS listeners. */
import { randomBytes, randomUUID } from "node:crypto";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Clock, Logger } from "@meltemi/runtime";
import { createWebhookCaller, type DialCluster } from "./admission/call.ts";
import { hearValidating } from "./admission/hear.ts";
import { createStages } from "./admission/stages.ts";
import { createWebhookReader } from "./admission/webhook.ts";
import { createAdmission, refusePermanent } from "./admission.ts";
import { bootstrapObjects } from "./bootstrap.ts";
import { watchDefinitions } from "./custom/definitions.ts";
import { createHandler } from "./handler.ts";
import { refuseUnless } from "./identity/attempt.ts";
import { type Authenticator, createAuthenticator } from "./identity/authenticate.ts";
import { impersonated } from "./identity/impersonate.ts";
import { createTokenSigner } from "./identity/jwt.ts";
import { reviewToken, type Verdict } from "./identity/service-accounts.ts";
import { createOpenApi } from "./openapi/documents.ts";
import type { PodLogs } from "./pod-logs.ts";
import type { PodAccess } from "./pod-sessions.ts";
import { createPodUpgrade, type PodUpgrade } from "./pod-upgrade.ts";
import { aggregateClusterRoles } from "./rbac/aggregation.ts";
import { type Authorizer, CLUSTER_ROLES, createAuthorizer, RBAC_GROUP } from "./rbac/authorizer.ts";
import { refuseEscalation } from "./rbac/escalation.ts";
import { createLister } from "./read/list.ts";
import { createWatches } from "./read/watch.ts";
import { createRegistry } from "./registry.ts";
import { parseRange } from "./resources/address-range.ts";
import type { ReviewDeps } from "./reviews.ts";
import { openDatabase } from "./store/database.ts";
import { createObjectStore } from "./store/object-store.ts";
import type { Cluster } from "./write/context.ts";

/** Where to listen: an address, or a listening socket that somebody else opened (in another network namespace). */
type ListenerOptions =
  | { readonly kind: "address"; readonly host: string; readonly port: number }
  | { readonly kind: "descriptor"; readonly fd: number };

export interface ApiServerOptions {
  /** SQLite file; `:memory:` for a cluster that is forgotten. */
  readonly statePath: string;
  readonly tls: { readonly keyPem: string; readonly certPem: string; readonly caPem: string };
  readonly listeners: readonly ListenerOptions[];
  /** `iss` of service-account tokens, and their default audience. */
  readonly serviceAccountIssuer: string;
  /** PKCS#8 or SEC1 PEM of an RSA or P-256 key. */
  readonly serviceAccountKeyPem: string;
  /** Bearer token of the administrator. */
  readonly adminToken: string;
  readonly clusterName: string;
  /** Range of cluster addresses, 10.96.0.0/16 when absent. */
  readonly serviceCidr?: string;
  /** A second range makes dual-stack Services possible. */
  readonly serviceCidrIpv6?: string;
}

export interface ApiServerDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Lines of a container, from the kubelet that runs it. */
  readonly podLogs: PodLogs;
  /** Reaches the webhooks that Services name. Without it, their pods' addresses are dialed as any other. */
  readonly dialCluster?: DialCluster;
  /** Ways into running pods. Without it, `kubectl exec`, `attach` and `port-forward` are refused. */
  readonly podAccess?: PodAccess;
}

export interface ApiServer {
  /** In the order of the listeners; of a Unix socket nothing is known. */
  readonly addresses: readonly AddressInfo[];
  /** Ends watches and connections, then the store. */
  close(): Promise<void>;
}

/** Port that the `kubernetes` Service points at; the cluster's network maps 443 to it. */
const SECURE_PORT = 6443;
/** One kubectl opens a handful; a cluster of hundreds of watchers stays far below. */
const MAX_CONNECTIONS = 8_192;
/** A head that takes longer than this to arrive is no client's. */
const HEADERS_TIMEOUT_MS = 10_000;
/** A 3 MiB body over a slow link still fits; a trickle does not. */
const REQUEST_TIMEOUT_MS = 60_000;
/** Longer than clients keep idle connections: the one that closes first is then never the server, with a request on its way. */
const KEEP_ALIVE_MS = 120_000;
const MAX_HEADER_BYTES = 32 * 1024;

/** Starts listening. @throws MeshError or Refusal when the state cannot be opened, a key is unfit or a port is taken */
export async function createApiServer(options: ApiServerOptions, deps: ApiServerDeps): Promise<ApiServer> {
  const store = createObjectStore(openDatabase(options.statePath));
  const registry = createRegistry();
  const ranges = {
    ipv4: parseRange(options.serviceCidr ?? "10.96.0.0/16"),
    ipv6: options.serviceCidrIpv6 === undefined ? undefined : parseRange(options.serviceCidrIpv6),
  };
  const caller = createWebhookCaller({ store, dialCluster: deps.dialCluster });
  const authorizer = createAuthorizer(store);
  const { authorize } = authorizer;
  const cluster: Cluster = {
    store,
    registry,
    randomName,
    newUid: randomUUID,
    admit: createAdmission({ ranges }, store),
    authorize,
    confirm(request, object, previous) {
      const { group, plural } = request.served.resource;
      if (group === RBAC_GROUP)
        refuseEscalation(authorizer, { user: request.user, object, previous, plural });
      hearValidating(request, object, previous);
    },
    afterCommit(key) {
      definitions.noticed(key);
      if (key === CLUSTER_ROLES) aggregateClusterRoles(store);
      // The Service that pods find this server by comes back when it is deleted.
      if (key === "/services") bootstrap();
    },
  };
  const bootstrap = (): void =>
    bootstrapObjects(cluster, {
      serviceRange: ranges.ipv4,
      securePort: SECURE_PORT,
      nowMs: deps.clock.nowMs(),
    });
  const definitions = watchDefinitions(cluster, deps.clock);
  bootstrap();
  const watches = createWatches(store, deps.clock);
  const reviews = reviewDeps(options, deps, cluster, authorizer);
  const identify = createAuthenticator({
    adminToken: options.adminToken,
    reviewToken: (token) => reviews.judgeToken(token, reviews.audiences),
  });
  const authenticate: Authenticator = (request) =>
    impersonated(identify(request), request.headersDistinct, authorize);
  const { podAccess, logger, clock } = deps;
  const pods =
    podAccess === undefined
      ? undefined
      : createPodUpgrade({
          permit: (request, attempt) => refuseUnless(authorize, { ...attempt, user: authenticate(request) }),
          access: podAccess,
          logger,
          clock,
          findPod: (namespace, name) => store.get("/pods", namespace, name)?.object,
        });
  const handle = createHandler({
    authenticate,
    authorize,
    registry,
    reviews,
    logger: deps.logger,
    serverPaths: {
      registry,
      openApi: createOpenApi(registry),
      issuer: options.serviceAccountIssuer,
      jwk: reviews.signer.jwk,
    },
    serve: {
      cluster,
      list: createLister(store),
      watches,
      reviews,
      stages: createStages({
        store,
        webhooks: createWebhookReader(store),
        caller,
        newUid: randomUUID,
        clock: deps.clock,
        logger: deps.logger.scope("admission"),
      }),
      logs: { podLogs: deps.podLogs },
      clock: deps.clock,
      refuseDelete: refusePermanent,
    },
  });
  const servers: Server[] = [];
  try {
    for (const listener of options.listeners) servers.push(await listen(options, listener, handle, pods));
  } catch (error) {
    for (const server of servers) server.close();
    store.close();
    throw error;
  }
  return {
    addresses: servers
      .map((server) => server.address())
      .filter((address) => typeof address === "object" && address !== null),
    async close() {
      watches.close();
      pods?.close();
      caller.close();
      await Promise.all(servers.map(closeServer));
      store.close();
    },
  };
}

function reviewDeps(
  options: ApiServerOptions,
  deps: ApiServerDeps,
  cluster: Cluster,
  authorizer: Authorizer,
): ReviewDeps {
  const signer = createTokenSigner(options.serviceAccountKeyPem);
  const issuer = options.serviceAccountIssuer;
  const judgeToken = (token: string, audiences: readonly string[]): Verdict =>
    reviewToken(token, {
      signer,
      issuer,
      audiences,
      nowMs: deps.clock.nowMs(),
      lookup: (resource, namespace, name) => cluster.store.get(resource, namespace, name)?.object,
    });
  return {
    store: cluster.store,
    signer,
    issuer,
    audiences: [issuer],
    newUid: cluster.newUid,
    authorizer,
    nowMs: () => deps.clock.nowMs(),
    judgeToken,
  };
}

type Handle = ReturnType<typeof createHandler>;

async function listen(
  options: ApiServerOptions,
  listener: ListenerOptions,
  handle: Handle,
  pods: PodUpgrade | undefined,
): Promise<Server> {
  const server = createServer(
    {
      key: options.tls.keyPem,
      cert: options.tls.certPem,
      ca: options.tls.caPem,
      minVersion: "TLSv1.2",
      // Certificates are one way to say who one is; without one a token is needed, so none is no fault here.
      requestCert: true,
      rejectUnauthorized: false,
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
    },
    (request, response) => {
      handle(request, response).catch((error: unknown) =>
        response.destroy(error instanceof Error ? error : undefined),
      );
    },
  );
  if (pods !== undefined) server.on("upgrade", pods.upgrade);
  server.maxConnections = MAX_CONNECTIONS;
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  // A reset in the middle of a handshake is the client's affair.
  server.on("tlsClientError", (_error, socket: Socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    // Later faults of the listener (no descriptors left) pass: the connections that there are go on.
    server.on("error", reject);
    server.once("listening", () => resolve());
    if (listener.kind === "address") server.listen(listener.port, listener.host);
    else server.listen({ fd: listener.fd });
  });
  return server;
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Letters and digits that make no words, as Kubernetes' own suffixes. */
const SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

function randomName(): string {
  return [...randomBytes(5)].map((byte) => SUFFIX_ALPHABET[byte % SUFFIX_ALPHABET.length]).join("");
}
