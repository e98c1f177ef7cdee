/** The local cluster's API server: wires the store, the resources and the identities behind HTTPS listeners. */
import { randomUUID } from "node:crypto";
import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { Clock, Logger } from "@meltemi/runtime";
import { createWebhookCaller, type DialCluster, type WebhookCaller } from "./admission/call.ts";
import { createStages } from "./admission/stages.ts";
import { createWebhookReader } from "./admission/webhook.ts";
import { refusePermanent } from "./admission.ts";
import { createHandler, type Handler } from "./handler.ts";
import { type Identities, type IdentityOptions, wireIdentities } from "./identities.ts";
import { refuseUnless } from "./identity/attempt.ts";
import { closeServer, type ListenerOptions, listen, type ServerTls } from "./listeners.ts";
import { type OpenCluster, type OpenClusterOptions, openCluster } from "./open-cluster.ts";
import { createOpenApi } from "./openapi/documents.ts";
import type { PodLogs } from "./pod-logs.ts";
import type { PodAccess } from "./pod-sessions.ts";
import { createPodUpgrade, type PodUpgrade } from "./pod-upgrade.ts";
import { createLister } from "./read/list.ts";
import { createWatches, type Watches } from "./read/watch.ts";

export interface ApiServerOptions extends OpenClusterOptions, IdentityOptions {
  readonly tls: ServerTls;
  readonly listeners: readonly ListenerOptions[];
  readonly clusterName: string;
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

/** Starts listening. @throws MeshError or Refusal when the state cannot be opened, a key is unfit or a port is taken */
export async function createApiServer(options: ApiServerOptions, deps: ApiServerDeps): Promise<ApiServer> {
  const opened = openCluster(options, deps);
  const { store } = opened.cluster;
  const identities = wireIdentities(options, opened, deps);
  const caller = createWebhookCaller({ store, dialCluster: deps.dialCluster });
  const watches = createWatches(store, deps.clock);
  const pods = wirePodUpgrade(opened, identities, deps);
  const handle = wireHandler(options, opened, identities, caller, watches, deps);
  const servers: Server[] = [];
  try {
    for (const listener of options.listeners) servers.push(await listen(options.tls, listener, handle, pods));
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

function wirePodUpgrade(
  { cluster, authorizer }: OpenCluster,
  { authenticate }: Identities,
  { podAccess, logger, clock }: ApiServerDeps,
): PodUpgrade | undefined {
  if (podAccess === undefined) return undefined;
  return createPodUpgrade({
    permit: (request, attempt) =>
      refuseUnless(authorizer.authorize, { ...attempt, user: authenticate(request) }),
    access: podAccess,
    logger,
    clock,
    findPod: (namespace, name) => cluster.store.get("/pods", namespace, name)?.object,
  });
}

function wireHandler(
  options: ApiServerOptions,
  { cluster, authorizer }: OpenCluster,
  { authenticate, reviews }: Identities,
  caller: WebhookCaller,
  watches: Watches,
  { clock, logger, podLogs }: ApiServerDeps,
): Handler {
  const { store, registry } = cluster;
  const stages = createStages({
    store,
    webhooks: createWebhookReader(store),
    caller,
    newUid: randomUUID,
    clock,
    logger: logger.scope("admission"),
  });
  return createHandler({
    authenticate,
    authorize: authorizer.authorize,
    registry,
    reviews,
    logger,
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
      stages,
      logs: { podLogs },
      clock,
      refuseDelete: refusePermanent,
    },
  });
}
