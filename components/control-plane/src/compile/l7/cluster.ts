/** A destination with the policy of its DestinationRule → Cluster (reference: l7-and-cli §2.5). Pure. */

import type { AppProtocol, NamespacedHostname } from "@meltemi/model";
import {
  type ClientTls,
  type Cluster,
  type ConnectionPool,
  newCluster,
  type Origin,
} from "@meltemi/model/l7";
import type { ClientTlsSpec, ConnectionPoolSpec, SubsetSpec, TrafficPolicySpec } from "@meltemi/resources";
import type { CredentialFacts } from "./facts.ts";
import { loadBalancerOf, localityOf, outlierDetectionOf } from "./load-balancer.ts";
import type { TrafficSettings } from "./traffic-settings.ts";
import { durationMs } from "./values.ts";

export interface ClusterSource {
  readonly name: string;
  readonly service: NamespacedHostname;
  readonly port: number;
  readonly appProtocol: AppProtocol;
  readonly subset: SubsetSpec | undefined;
  /** The DestinationRule that subset and policy are of. */
  readonly origin: Origin | undefined;
  readonly policy: TrafficPolicySpec;
  readonly settings: TrafficSettings;
  /** The Secret that `credentialName` names, and that of its CA; undefined when it is not there. */
  readonly credential: (name: string) => CredentialFacts | undefined;
}

/** `fault`: why nothing may be sent to it, because it would be sent with less protection than asked for. */
export interface CompiledCluster {
  readonly cluster: Cluster;
  readonly fault?: string;
}

export function compileCluster(source: ClusterSource): CompiledCluster {
  const { name, service, port, policy, settings, subset, origin } = source;
  const { connectionPool, outlierDetection, loadBalancer, proxyProtocol, retryBudget } = policy;
  const tls = tlsOf(policy.tls, source.credential);
  const locality = localityOf(
    loadBalancer?.localityLbSetting,
    outlierDetection !== undefined,
    settings.locality,
  );
  const cluster = newCluster({
    name,
    service,
    port,
    ...(origin && { origin }),
    protocol: protocolOf(source.appProtocol, connectionPool),
    ...(subset && { subset: { name: subset.name, labels: subset.labels ?? {} } }),
    loadBalancer: loadBalancerOf(loadBalancer),
    ...(locality && { locality }),
    connectionPool: connectionPoolOf(connectionPool, settings.connectTimeoutMs),
    ...(outlierDetection && { outlierDetection: outlierDetectionOf(outlierDetection) }),
    ...(tls.kind === "use" && { tls: tls.tls }),
    ...(proxyProtocol && { proxyProtocol: proxyProtocol.version === "V2" ? "v2" : "v1" }),
    ...(retryBudget && {
      retryBudget: {
        percent: retryBudget.percent ?? 20,
        minConcurrency: retryBudget.minRetryConcurrency ?? 3,
      },
    }),
  });
  return tls.kind === "unusable" ? { cluster, fault: `${name}: ${tls.why}` } : { cluster };
}

function protocolOf(declared: AppProtocol, pool: ConnectionPoolSpec | undefined): Cluster["protocol"] {
  const { useClientProtocol, h2UpgradePolicy } = pool?.http ?? {};
  switch (declared) {
    case "tcp":
    case "tls":
      return "tcp";
    case "http2":
    case "grpc":
      return "http2";
    default:
      if (useClientProtocol === true) return "sameAsClient";
      if (h2UpgradePolicy === "UPGRADE") return "http2";
      return declared === "http11" ? "http1" : "sameAsClient";
  }
}

function connectionPoolOf(
  spec: ConnectionPoolSpec | undefined,
  connectTimeoutMs: number,
): Partial<ConnectionPool> {
  const { tcp = {}, http = {} } = spec ?? {};
  const maxDurationMs = durationMs(tcp.maxConnectionDuration);
  const tcpIdleTimeoutMs = durationMs(tcp.idleTimeout);
  const httpIdleTimeoutMs = durationMs(http.idleTimeout);
  return {
    ...(tcp.maxConnections && { maxConnections: tcp.maxConnections }),
    connectTimeoutMs: durationMs(tcp.connectTimeout) || connectTimeoutMs,
    ...(maxDurationMs && { maxConnectionDurationMs: maxDurationMs }),
    ...(tcpIdleTimeoutMs !== undefined && { tcpIdleTimeoutMs }),
    ...(tcp.tcpKeepalive && { tcpKeepalive: keepaliveOf(tcp.tcpKeepalive) }),
    ...(http.http1MaxPendingRequests && { maxPendingRequests: http.http1MaxPendingRequests }),
    ...(http.http2MaxRequests && { maxRequests: http.http2MaxRequests }),
    ...(http.maxRequestsPerConnection && { maxRequestsPerConnection: http.maxRequestsPerConnection }),
    ...(http.maxRetries && { maxRetries: http.maxRetries }),
    ...(httpIdleTimeoutMs !== undefined && { httpIdleTimeoutMs }),
    ...(http.maxConcurrentStreams && { maxConcurrentStreams: http.maxConcurrentStreams }),
    ...http2Keepalive(http.http2KeepAlive),
  };
}

type TcpKeepaliveSpec = NonNullable<NonNullable<ConnectionPoolSpec["tcp"]>["tcpKeepalive"]>;

function keepaliveOf({
  probes,
  time,
  interval,
}: TcpKeepaliveSpec): NonNullable<ConnectionPool["tcpKeepalive"]> {
  const timeMs = durationMs(time);
  const intervalMs = durationMs(interval);
  return {
    ...(probes && { probes }),
    ...(timeMs && { timeMs }),
    ...(intervalMs && { intervalMs }),
  };
}

function http2Keepalive(
  spec: NonNullable<ConnectionPoolSpec["http"]>["http2KeepAlive"],
): Pick<ConnectionPool, "http2Keepalive"> {
  const intervalMs = durationMs(spec?.interval);
  if (!intervalMs) return {};
  return { http2Keepalive: { intervalMs, timeoutMs: durationMs(spec?.timeout) || intervalMs } };
}

type TlsResult =
  | { readonly kind: "none" }
  | { readonly kind: "use"; readonly tls: ClientTls }
  | { readonly kind: "unusable"; readonly why: string };

/** DISABLE and ISTIO_MUTUAL add nothing: the mesh's own mutual TLS is there in any case. */
function tlsOf(spec: ClientTlsSpec | undefined, credential: ClusterSource["credential"]): TlsResult {
  if (spec?.mode !== "SIMPLE" && spec?.mode !== "MUTUAL") return { kind: "none" };
  const unusable = (why: string): TlsResult => ({ kind: "unusable", why });
  if (namesFiles(spec))
    return unusable("a waypoint has no files of its own: expected tls.credentialName in place of paths");
  const name = spec.credentialName ?? "";
  const secret = name === "" ? undefined : credential(name);
  if (name !== "" && secret === undefined)
    return unusable(`Secret ${name} was not found in the waypoint's namespace, or may not be read there`);
  const { certificateChain, privateKey } = secret ?? {};
  const pair = certificateChain && privateKey ? { certificateChain, privateKey } : undefined;
  if (spec.mode === "MUTUAL" && pair === undefined)
    return unusable("MUTUAL needs a Secret with a certificate and its key");
  const authority = name === "" ? undefined : credential(`${name}-cacert`);
  const caCertificates = secret?.caCertificates ?? authority?.caCertificates;
  return {
    kind: "use",
    tls: {
      ...(spec.mode === "MUTUAL" ? { mode: "mutual", ...pair } : { mode: "simple" }),
      ...(caCertificates && { caCertificates }),
      subjectAltNames: spec.subjectAltNames ?? [],
      ...(spec.sni && { sni: spec.sni }),
      skipVerify: spec.insecureSkipVerify ?? false,
    },
  };
}

function namesFiles({ clientCertificate = "", privateKey = "", caCertificates }: ClientTlsSpec): boolean {
  return clientCertificate !== "" || privateKey !== "" || !isMachineRoots(caCertificates);
}

/** Where distributions keep the roots that every program trusts: what a waypoint trusts without being told. */
function isMachineRoots(path: string | undefined): boolean {
  return path === undefined || path === "" || path === "system" || path.startsWith("/etc/ssl/");
}
