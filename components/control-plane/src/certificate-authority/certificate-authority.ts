/** The CA of the control plane, put together. `main.ts` makes one and mounts its service in the gRPC server. */

import type { ServerCredentials } from "@grpc/grpc-js";
import type { RandomBytes } from "@meltemi/identity";
import type { Informer, KubernetesClient, Pod } from "@meltemi/kubernetes";
import type { Clock, Logger } from "@meltemi/runtime";
import type { Registry } from "@meltemi/telemetry";
import { ADMISSION_DEFAULTS, type AdmissionOptions, createAdmission } from "./admission.ts";
import { type AuthorityKeeper, startAuthorityKeeper } from "./authority-keeper.ts";
import type { SigningAuthority } from "./authority-material.ts";
import { type AuthorityMetrics, createAuthorityMetrics } from "./authority-metrics.ts";
import { type CertificateService, createCertificateService } from "./certificate-service.ts";
import type { ServiceAccountName } from "./decide-issue.ts";
import { createPodView } from "./pod-view.ts";
import { createRotatingCredentials, createServerCertificate, type KeyPair } from "./server-certificate.ts";
import { createTokenAuthenticator, type TokenAuthenticator } from "./token-authenticator.ts";

export interface CertificateAuthorityOptions {
  /** Of the control plane; its Secrets hold the CA. */
  readonly namespace: string;
  readonly trustDomain: string;
  /** `PILOT_ENABLE_CA_CRL`: whether revocation lists of a plugged-in CA are read and go out; default true. */
  readonly revocationLists?: boolean;
  readonly clusterId: string;
  /** `CA_TRUSTED_NODE_ACCOUNTS`, see `parseTrustedNodeAccounts`. */
  readonly trustedNodeAccounts: readonly ServiceAccountName[];
  /** `TOKEN_AUDIENCES`; default `istio-ca`. */
  readonly tokenAudiences?: readonly string[];
  /** `DEFAULT_WORKLOAD_CERT_TTL`; default 24 h. */
  readonly defaultTtlMs?: number;
  /** `MAX_WORKLOAD_CERT_TTL`; default 90 days. */
  readonly maxTtlMs?: number;
  /** DNS names of the control plane's own server certificate. */
  readonly serverNames: readonly string[];
  readonly admission?: AdmissionOptions;
}

export interface CertificateAuthorityDeps {
  readonly client: KubernetesClient;
  /** Every pod of the cluster, with the indexes of `CERTIFICATE_POD_INDEXES`. */
  readonly pods: Pick<Informer<Pod>, "get" | "byIndex" | "hasSynced">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly randomBytes: RandomBytes;
  readonly log: Logger;
  readonly registry: Registry;
}

export interface CertificateAuthority extends AsyncDisposable {
  /** Resolves when certificates can be issued. Never rejects: `problems` says what it waits for. */
  readonly ready: Promise<unknown>;
  readonly isReady: boolean;
  /** Why the CA's Secret is not in use; empty when all is well. */
  readonly problems: readonly string[];
  /** `server.addService(service.definition, service.implementation)`. */
  readonly service: CertificateService;
  /** For xDS as well: the same tokens, reviewed once. */
  readonly authenticator: TokenAuthenticator;
  /** For `server.bindAsync`: follows the certificate without a restart. */
  readonly serverCredentials: ServerCredentials;
  /** The same certificate for other servers: calls back with the pair of the moment and with every later one. */
  onServerCertificate(listener: (pair: KeyPair) => void): () => void;
  /** Calls back with the bundle of the moment and with every later one. */
  onRootBundle(listener: (pem: string) => void): () => void;
  /** The same for the CA's revocation lists; "" when it has none. */
  onRevocationLists(listener: (pem: string) => void): () => void;
}

const DAY_MS = 24 * 3_600_000;

export function createCertificateAuthority(
  options: CertificateAuthorityOptions,
  deps: CertificateAuthorityDeps,
): CertificateAuthority {
  const { namespace, trustDomain, clusterId, trustedNodeAccounts } = options;
  const defaultTtlMs = options.defaultTtlMs ?? DAY_MS;
  const maxTtlMs = options.maxTtlMs ?? 90 * DAY_MS;
  const metrics = createAuthorityMetrics(deps.registry);
  const keeper = startAuthorityKeeper(
    { namespace, organization: trustDomain, revocationLists: options.revocationLists ?? true },
    deps,
  );
  const authenticator = createTokenAuthenticator({ audiences: options.tokenAudiences ?? ["istio-ca"] }, deps);
  const service = createCertificateService(
    { clusterId, policy: { trustDomain, trustedNodeAccounts, defaultTtlMs, maxTtlMs } },
    {
      ...deps,
      metrics,
      authenticator,
      admission: createAdmission(options.admission ?? ADMISSION_DEFAULTS, deps),
      view: createPodView(deps.pods),
      authority: () => keeper.current,
    },
  );
  const onAuthority = (listener: (authority: SigningAuthority) => void): (() => void) =>
    keeper.onChange(listener);
  const serverCertificate = createServerCertificate(
    { dnsNames: options.serverNames, ttlMs: defaultTtlMs },
    { ...deps, onAuthority },
  );
  watchMaterial(keeper, metrics, deps.registry);
  return {
    ready: keeper.ready,
    get isReady() {
      return keeper.current !== undefined;
    },
    get problems() {
      return keeper.problems;
    },
    service,
    authenticator,
    serverCredentials: createRotatingCredentials(serverCertificate),
    onServerCertificate: (listener) => serverCertificate.onChange(listener),
    onRootBundle: (listener) => keeper.onChange((authority) => listener(authority.rootBundlePem)),
    onRevocationLists: (listener) => keeper.onChange((authority) => listener(authority.revocationListsPem)),
    async [Symbol.asyncDispose]() {
      serverCertificate[Symbol.dispose]();
      await keeper[Symbol.asyncDispose]();
    },
  };
}

function watchMaterial(keeper: AuthorityKeeper, metrics: AuthorityMetrics, registry: Registry): void {
  registry.onCollect(() => metrics.materialRefused.set(keeper.problems.length > 0 ? 1 : 0));
  keeper.onChange(({ issuer, roots }) => {
    metrics.chainExpiry.set(issuer.certificate.notAfterMs / 1000);
    metrics.rootExpiry.set(Math.min(...roots.map((root) => root.notAfterMs)) / 1000);
  });
}
