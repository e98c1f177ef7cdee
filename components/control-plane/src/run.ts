/** Runs the control plane from its configuration until the signal fires. `main.ts` gives it the machine. */

import type { RandomBytes } from "@meltemi/identity";
import type { KubernetesClient } from "@meltemi/kubernetes";
import type { Clock, Logger } from "@meltemi/runtime";
import { createRegistry, type Registry } from "@meltemi/telemetry";
import {
  type CertificateAuthority,
  createCertificateAuthority,
} from "./certificate-authority/certificate-authority.ts";
import {
  REVOCATION_LISTS,
  ROOT_CERTIFICATES,
  startNamespacePublisher,
} from "./certificate-authority/namespace-publisher.ts";
import type { ControlPlaneConfig, MeshConfig } from "./config.ts";
import { type ControlPlane, type ControlPlaneDependencies, createControlPlane } from "./control-plane.ts";
import { runDuties } from "./leadership.ts";
import { watchMeshConfig } from "./mesh-config-watch.ts";
import { serverNames } from "./service-names.ts";
import { createValidationMetrics } from "./validation/validation-metrics.ts";
import { createWebhookDoor, type WebhookDoor } from "./validation/webhook-door.ts";

export interface RunDependencies {
  readonly client: KubernetesClient;
  readonly clock: Clock;
  readonly random: () => number;
  readonly randomBytes: RandomBytes;
  readonly logger: Logger;
  readonly changeLogLevels?: ControlPlaneDependencies["changeLogLevels"];
}

export interface RunningControlPlane {
  readonly controlPlane: ControlPlane;
  readonly authority: CertificateAuthority;
  /** Undefined: the door of webhooks stays shut. */
  readonly webhookPort?: number | undefined;
}

/**
 * Resolves after an orderly end; rejects when it cannot start. `onStarted` hears when the doors are open.
 * A change of the mesh configuration goes to the root of all that is compiled and signed: it is an orderly end and a new start
 * within the process, and clients come back to it as after an upgrade. Only the door of webhooks stays open.
 */
export async function runControlPlane(
  config: ControlPlaneConfig,
  deps: RunDependencies,
  signal: AbortSignal,
  onStarted: (running: RunningControlPlane) => void = () => undefined,
): Promise<void> {
  const log = deps.logger.scope("mesh-config");
  const watch = watchMeshConfig(config, { ...deps, log });
  await using door = createWebhookDoor(config.addresses.https, {
    ...deps,
    log: deps.logger.scope("validation"),
  });
  try {
    let mesh = await watch.next(undefined, signal);
    while (mesh !== undefined) {
      const replaced = new AbortController();
      const next = watch.next(mesh, signal).finally(() => replaced.abort());
      await runMesh(mesh, config, { ...deps, door }, AbortSignal.any([signal, replaced.signal]), onStarted);
      mesh = await next;
      if (mesh !== undefined) {
        const { trustDomain, rootNamespace } = mesh;
        log.info("mesh configuration changed, starting anew", { trustDomain, rootNamespace });
      }
    }
  } finally {
    watch.stop();
  }
  deps.logger.info("control plane stopped");
}

async function runMesh(
  mesh: MeshConfig,
  config: ControlPlaneConfig,
  deps: RunDependencies & { readonly door: WebhookDoor },
  signal: AbortSignal,
  onStarted: (running: RunningControlPlane) => void,
): Promise<void> {
  const { logger } = deps;
  const registry = createRegistry();
  registry
    .gauge<"version">({ name: "pilot_info", help: "Version of the control plane", labels: ["version"] })
    .labels({ version: config.revision })
    .set(1);
  const parts = assemble(config, mesh, registry, deps);
  await using controlPlane = parts.controlPlane;
  await using authority = parts.authority;
  const roots = { ...ROOT_CERTIFICATES, onText: authority.onRootBundle };
  const lists = { ...REVOCATION_LISTS, onText: authority.onRevocationLists };
  await using _publisher = startNamespacePublisher(config.revocationLists ? [roots, lists] : [roots], {
    ...deps,
    log: logger.scope("namespaces"),
  });
  const validationMetrics = createValidationMetrics(registry);
  const { secureGrpc, plainGrpc, monitoring, http } = config.addresses;
  // Probes are answered from the start; the gRPC doors open when there is something to say.
  await controlPlane.listen({ ...(http && { http }), ...(monitoring && { monitoring }) }, []);
  await abortable(Promise.all([controlPlane.ready, authority.ready]), signal);
  if (!signal.aborted) {
    const ports = await controlPlane.listen(
      {
        ...(secureGrpc && { secure: { address: secureGrpc, credentials: authority.serverCredentials } }),
        ...(plainGrpc && { plain: plainGrpc }),
      },
      [authority.service],
    );
    const webhooks = await deps.door.serveFor(authority, validationMetrics);
    logger.info("control plane is serving", { secure: ports.secure, plain: ports.plain, webhooks });
    onStarted({ ...parts, webhookPort: webhooks });
    const leading = runDuties(config, mesh, parts, { ...deps, validationMetrics }, signal);
    await abortable(new Promise(() => undefined), signal);
    await controlPlane.drain(config.drainMs);
    await leading;
  }
}

function assemble(
  config: ControlPlaneConfig,
  mesh: MeshConfig,
  registry: Registry,
  deps: RunDependencies,
): RunningControlPlane {
  const { trustDomain, rootNamespace, traffic } = mesh;
  const { clusterId, clusterDomain, namespace, dryRunPolicies } = config;
  const controlPlane: ControlPlane = createControlPlane(
    {
      compile: { clusterId, trustDomain, rootNamespace, clusterDomain, dryRunPolicies, traffic },
      debounce: config.debounce,
      requireToken: config.requireToken,
      blockedKeyAddresses: config.blockedKeyAddresses,
    },
    {
      ...deps,
      registry,
      // The authority looks at the pods that the control plane watches, and tells it who its callers are.
      authenticator: { authenticate: (headers) => authority.authenticator.authenticate(headers) },
    },
  );
  const authority = createCertificateAuthority(
    {
      namespace,
      trustDomain,
      revocationLists: config.revocationLists,
      clusterId,
      trustedNodeAccounts: config.trustedNodeAccounts,
      tokenAudiences: config.tokenAudiences,
      serverNames: [...serverNames(namespace, config.revision), ...config.customHosts],
      ...(config.defaultCertificateTtlMs !== undefined && { defaultTtlMs: config.defaultCertificateTtlMs }),
      ...(config.maxCertificateTtlMs !== undefined && { maxTtlMs: config.maxCertificateTtlMs }),
    },
    { ...deps, pods: controlPlane.watch.pods, log: deps.logger.scope("ca"), registry },
  );
  return { controlPlane, authority };
}

/** Resolves with the promise or when the signal fires, whichever is first. */
async function abortable(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const aborted = Promise.withResolvers<void>();
  const onAbort = (): void => aborted.resolve();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
