/** The control plane put together: sources → compile → distribute, with its doors. Everything it touches is an argument. */

import { ServerCredentials as Credentials, type ServerCredentials } from "@grpc/grpc-js";
import type { KubernetesClient } from "@meltemi/kubernetes";
import type { Cidr } from "@meltemi/model";
import { type Clock, delay, describeError, type Logger } from "@meltemi/runtime";
import { createRegistry, type Registry } from "@meltemi/telemetry";
import { startAddressAllocator } from "./address-allocation/address-allocator.ts";
import { type HttpServer, listenHttp, type Pages } from "./admin/http-server.ts";
import { type AdminDependencies, createHttpPages, createMonitoringPages } from "./admin/pages.ts";
import { CERTIFICATE_POD_INDEXES } from "./certificate-authority/pod-view.ts";
import type { TokenAuthenticator } from "./certificate-authority/token-authenticator.ts";
import { createMeshCompiler, type MeshChanges, type MeshCompiler } from "./compile/mesh-compiler.ts";
import type { CompileSettings } from "./compile/settings.ts";
import type { DebounceOptions } from "./distribute/decide-push.ts";
import { createDiscoveryService, type DiscoveryService } from "./distribute/discovery-service.ts";
import { createGrpcServer, type GrpcServer, type GrpcService } from "./distribute/grpc-servers.ts";
import { createMeshResources, type MeshResources } from "./distribute/mesh-resources.ts";
import { createDistributionMetrics } from "./distribute/metrics.ts";
import { createPublisher } from "./distribute/publisher.ts";
import { createCredentialWatch } from "./sources/credential-watch.ts";
import { fetchJson } from "./sources/fetch-json.ts";
import { createKeySetResolver } from "./sources/key-set-resolver.ts";
import { neededCredentials, neededKeySets } from "./sources/needs.ts";
import { type MeshWatch, watchMesh } from "./sources/watch-mesh.ts";
import { createBrokenWaypoints } from "./status/broken-waypoints.ts";
import { type MeshStatus, startMeshStatus } from "./status/mesh-status.ts";
import { startTrafficStatus } from "./status/traffic-status.ts";

export interface ControlPlaneOptions {
  readonly compile: CompileSettings;
  readonly debounce: DebounceOptions;
  readonly requireToken: boolean;
  /** Addresses that token issuers' keys are not fetched from, beside those that they never are. */
  readonly blockedKeyAddresses: readonly Cidr[];
}

export interface ControlPlaneDependencies {
  readonly client: Pick<KubernetesClient, "list" | "watch" | "apply">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly authenticator: TokenAuthenticator;
  /** Undefined: its log levels are fixed. */
  readonly changeLogLevels?: AdminDependencies["changeLogLevels"];
  readonly registry?: Registry;
}

/** `host:port`; port 0 takes a free one. */
interface Doors {
  readonly secure?: { readonly address: string; readonly credentials: ServerCredentials };
  readonly plain?: string;
  readonly monitoring?: string;
  readonly http?: string;
}

interface BoundPorts {
  readonly secure?: number;
  readonly plain?: number;
  readonly monitoring?: number;
  readonly http?: number;
}

export interface ControlPlane extends AsyncDisposable {
  readonly compiler: MeshCompiler;
  readonly resources: MeshResources;
  readonly discovery: DiscoveryService;
  readonly registry: Registry;
  readonly watch: MeshWatch;
  /** All kinds are listed and compiled; until then clients are told to come back. */
  readonly ready: Promise<void>;
  readonly isReady: boolean;
  /** Opens the doors; `services` (certificates) are served beside discovery behind TLS, and never on the plain door. */
  listen(doors: Doors, services: readonly GrpcService[]): Promise<BoundPorts>;
  /** Writes status until the signal fires: run it while leading. */
  runStatus(signal: AbortSignal): Promise<void>;
  /** Tells clients to go elsewhere and lets calls end. */
  drain(deadlineMs: number): Promise<void>;
}

/** A token issuer that is away must not keep the whole mesh waiting. */
const NEEDS_WAIT_MS = 5_000;

/** Begins to watch at once. */
export function createControlPlane(
  options: ControlPlaneOptions,
  deps: ControlPlaneDependencies,
): ControlPlane {
  const { clock, logger } = deps;
  const registry = deps.registry ?? createRegistry();
  const metrics = createDistributionMetrics(registry);
  const compiler = createMeshCompiler(options.compile, (collection, key, error) => {
    metrics.internalErrors.add(1);
    logger.error("object not compiled", { collection, key, reason: describeError(error) });
  });
  const resources = createMeshResources();
  let isReady = false;
  let isStopped = false;
  let status: readonly MeshStatus[] = [];
  const discovery = createDiscoveryService(
    { requireToken: options.requireToken },
    {
      clock,
      logger: logger.scope("ads"),
      metrics,
      authenticator: deps.authenticator,
      logsFor: (client) => resources.logsFor(client),
      pod(namespace, name) {
        const metadata = watch.pods.get(`${namespace}/${name}`)?.metadata;
        return metadata && { uid: metadata.uid ?? "", labels: metadata.labels ?? {} };
      },
      isReady: () => isReady,
    },
  );
  const brokenWaypoints = createBrokenWaypoints(registry, logger.scope("waypoints"));
  const onCompiled = (changes: MeshChanges): void => {
    brokenWaypoints.onCompiled(changes);
    seekNeeds();
    for (const each of status) each.onCompiled(changes);
  };
  const publisher = createPublisher(options.debounce, {
    clock,
    metrics,
    resources,
    compile: () => compiler.flush(),
    push: (changedMs) => discovery.push(changedMs),
    onCompiled,
  });
  const watch = watchMesh({
    client: deps.client,
    clock,
    random: deps.random,
    log: logger.scope("sources"),
    inputs: compiler.inputs,
    podIndexes: CERTIFICATE_POD_INDEXES,
    onChange: (kind) => publisher.touch(kind),
    onRefused: (kind, count) => metrics.refusedObjects(kind, count),
  });
  const credentials = createCredentialWatch({
    client: deps.client,
    clock,
    random: deps.random,
    log: logger.scope("credentials"),
    credentials: compiler.inputs.credentials,
    onChange: () => publisher.touch("Secret"),
  });
  const keySets = createKeySetResolver({
    clock,
    log: logger.scope("jwks"),
    keySets: compiler.inputs.keySets,
    fetchJson: (url, timeoutMs) => fetchJson(url, { timeoutMs, blocked: options.blockedKeyAddresses }),
    onChange: () => publisher.touch("JWKS"),
  });
  const seekNeeds = (): void => {
    keySets.want(neededKeySets(compiler.inputs));
    credentials.want(neededCredentials(compiler.inputs));
  };
  const ready = watch.synced.then(async () => {
    // Waypoints that had keys and certificates from our predecessor must not lose them to our start.
    seekNeeds();
    const settled = Promise.all([keySets.settled(), credentials.settled()]);
    await Promise.race([settled, delay(clock, NEEDS_WAIT_MS)]);
    if (isStopped) return;
    publisher.start();
    isReady = true;
    logger.info("mesh compiled", {
      workloads: compiler.outputs.workloads.size,
      services: compiler.outputs.services.size,
      policies: compiler.outputs.policies.size,
    });
  });
  const servers: GrpcServer[] = [];
  let isOpen = false;
  const httpServers: HttpServer[] = [];

  return {
    compiler,
    resources,
    discovery,
    registry,
    watch,
    ready,
    get isReady() {
      return isReady;
    },
    async listen(doors, services) {
      const openGrpc = async (
        address: string,
        credentials: ServerCredentials,
        served: readonly GrpcService[],
      ): Promise<number> => {
        const server = createGrpcServer(served, clock);
        servers.push(server);
        return await server.listen(address, credentials);
      };
      const openHttp = async (address: string, pages: Pages): Promise<number> => {
        const server = await listenHttp(address, pages, logger.scope("admin"));
        httpServers.push(server);
        return server.port;
      };
      const admin: AdminDependencies = {
        registry,
        outputs: compiler.outputs,
        connections: () => discovery.connections(),
        // Ready to be sent clients: there is something to say, and a door to say it through.
        isReady: () => isReady && isOpen,
        clusterId: options.compile.clusterId,
        namespace: options.compile.rootNamespace,
        authenticator: deps.authenticator,
        changeLogLevels: deps.changeLogLevels,
      };
      const { secure, plain, monitoring, http } = doors;
      const ports = {
        ...(http && { http: await openHttp(http, createHttpPages(admin)) }),
        ...(monitoring && { monitoring: await openHttp(monitoring, createMonitoringPages(admin)) }),
        ...(plain && { plain: await openGrpc(plain, Credentials.createInsecure(), [discovery]) }),
        ...(secure && {
          secure: await openGrpc(secure.address, secure.credentials, [discovery, ...services]),
        }),
      };
      // All that were asked for, and listening: a client that is sent here must not be refused.
      isOpen ||= servers.length > 0;
      return ports;
    },
    async runStatus(signal) {
      await ready;
      if (signal.aborted) return;
      const log = logger.scope("status");
      const { client, random } = deps;
      const writing = { client, clock, random, log, outputs: compiler.outputs, watch };
      const entries = compiler.inputs.serviceEntries;
      status = [startMeshStatus(writing), startTrafficStatus(writing)];
      const allocator = startAddressAllocator({ ...writing, entries, watch: watch.serviceEntries });
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      const ended = status;
      status = [];
      await Promise.all([...ended, allocator].map((each) => each.stop()));
    },
    async drain(deadlineMs) {
      isReady = false;
      publisher.stop();
      discovery.closeAll();
      await Promise.all(servers.map((server) => server.drain(deadlineMs)));
    },
    async [Symbol.asyncDispose]() {
      isStopped = true;
      publisher.stop();
      watch.stop();
      credentials.stop();
      keySets.stop();
      discovery.closeAll();
      await Promise.all(servers.map((server) => server.drain(0)));
      await Promise.all(httpServers.map((server) => server[Symbol.asyncDispose]()));
    },
  };
}
