/** The node proxy, wired together from what it is given: nothing here reads the environment or the clock by itself. */

import {
  type AdminServers,
  followRevocation,
  type MeshStore,
  type Readiness,
  startAdminServers,
} from "@meltemi/proxy-process";
import { describeError, detach } from "@meltemi/runtime";
import type { XdsClient } from "@meltemi/xds";
import type { ZtunnelConfig } from "./config.ts";
import { dumpConfig } from "./dump-config.ts";
import { staticChanges } from "./mesh/static-changes.ts";
import { makeParts, type ZtunnelDeps, type ZtunnelParts } from "./parts.ts";

export interface Ztunnel {
  readonly mesh: MeshStore;
  readonly readiness: Readiness;
  readonly ports: Omit<AdminServers, "close">;
  /** Drains and stops; a second call waits for the first. */
  shutdown(): Promise<void>;
  /** Resolves when stopped, rejects when something failed for good: the process then ends with 1. */
  readonly finished: Promise<void>;
}

/** Rejects when a port is taken or a listener cannot be opened; nothing is left open then. */
export async function startZtunnel(config: ZtunnelConfig, deps: ZtunnelDeps): Promise<Ztunnel> {
  const parts = makeParts(config, deps);
  const { readiness, mesh } = parts;
  const stateTask = readiness.task("state manager");
  const finished = Promise.withResolvers<void>();
  // Whoever starts us may only look at the end later.
  finished.promise.catch(() => undefined);

  let stopping: Promise<void> | undefined;
  const shutdown = (): Promise<void> => {
    stopping ??= stop().then(finished.resolve, finished.reject);
    return stopping;
  };
  const admin = await startAdminServers(
    { component: "ztunnel", ...config.admin, host: deps.adminHost ?? "::", logFilter: config.log.filter },
    {
      logger: deps.logger,
      filter: deps.filter,
      registry: deps.registry,
      readiness,
      dump: () =>
        dumpConfig(config, {
          mesh,
          certificates: deps.certificates,
          pods: parts.pods.list(),
          staticConfig: deps.staticConfig,
        }),
      quit: () => void shutdown(),
    },
  );
  const crlFile = followRevocation(config.hbone.crlPath, parts.revocation, readiness, deps);
  const xds = startConfiguration(deps, parts, () => stateTask.done());
  const stop = async (): Promise<void> => {
    deps.logger.info("shutdown: draining", { deadline_ms: config.drainDeadlineMs });
    agentStop.abort();
    await parts.pods.close(config.drainDeadlineMs);
    await xds?.[Symbol.asyncDispose]();
    crlFile?.[Symbol.dispose]();
    parts.live[Symbol.dispose]();
    parts.lookups[Symbol.dispose]();
    parts.relays[Symbol.dispose]();
    await admin.close();
    deps.logger.info("shutdown: done");
  };
  const agentStop = new AbortController();
  const fail = (error: unknown): void => {
    deps.logger.error("proxy failed", { error: describeError(error) });
    stopping ??= stop().finally(() => finished.reject(error));
  };
  // Listeners open once policies and revocation lists are known: before that, what they would forbid could not be forbidden.
  const open = (): void => startPods(deps, parts, admin.statsPort, agentStop.signal, fail);
  if (xds === undefined) {
    try {
      await crlFile?.ready;
      if (stopping === undefined) open();
    } catch (error) {
      await stop();
      throw error;
    }
  } else {
    void Promise.all([xds.synced, crlFile?.ready])
      .then(() => (stopping === undefined ? open() : undefined))
      .catch(fail);
  }
  return { mesh, readiness, ports: admin, shutdown, finished: finished.promise };
}

/** Static configuration first, then the control plane's, if there is one. */
function startConfiguration(
  deps: ZtunnelDeps,
  parts: ZtunnelParts,
  onSynced: () => void,
): XdsClient | undefined {
  const { staticConfig } = deps;
  if (staticConfig !== undefined) {
    parts.followAddresses(staticChanges(staticConfig));
    parts.mesh.applyPolicies(staticConfig.policies.map((policy) => ({ kind: "policy", policy })));
  }
  if (deps.controlPlane === undefined) {
    onSynced();
    return undefined;
  }
  const client = deps.controlPlane((update) => {
    parts.follow(update);
    return [];
  });
  parts.lookups.useControlPlane(client);
  client.start();
  detach(
    () => client.synced.then(onSynced),
    (error) => parts.reportInternalError("proxy", error),
  );
  return client;
}

function startPods(
  deps: ZtunnelDeps,
  parts: ZtunnelParts,
  statsPort: number,
  signal: AbortSignal,
  onFailure: (error: unknown) => void,
): void {
  if (deps.dedicated !== undefined) {
    const { workload, listenIp, localIp } = deps.dedicated;
    const task = parts.readiness.task("proxy");
    parts.pods.adopt(
      workload,
      parts.factory.pod(workload, { sockets: deps.sockets(undefined), listenIp, localIp }),
    );
    task.done();
  }
  if (deps.self !== undefined)
    parts.pods.adopt(
      deps.self,
      parts.factory.self(deps.self, { sockets: deps.sockets(undefined) }, statsPort),
    );
  // Rejects only when the agent does not speak our protocol: another try would end the same way.
  deps.nodeAgent?.(parts.pods.handler).run(signal).catch(onFailure);
}
