/** What the listeners of one pod share. */

import type { TlsContexts } from "@meltemi/identity";
import type { Relays } from "@meltemi/l4";
import {
  findLocalWorkload,
  type Identity,
  type Ip,
  type LocalPlace,
  type Workload,
  type WorkloadName,
} from "@meltemi/model";
import type { MeshStore, PeerRevocation, PodAdmission, ReportInternalError } from "@meltemi/proxy-process";
import type { Clock, Logger } from "@meltemi/runtime";
import type { Lookups } from "../lookup/lookups.ts";
import type { OnDemandDns } from "../outbound/on-demand-dns.ts";
import type { Authorizer } from "../policy/authorize.ts";
import type { LiveConnections } from "../policy/live-connections.ts";
import type { ProxyPorts } from "../ports.ts";
import type { PodSockets } from "../sockets/pod-sockets.ts";
import type { PodTelemetry } from "../telemetry/connection-telemetry.ts";
import type { ConnectionTable } from "./connection-table.ts";

interface PodOptions {
  readonly pod: WorkloadName;
  readonly place: LocalPlace;
  /** Network of this proxy. */
  readonly network: string;
  readonly ports: ProxyPorts;
  /** Address of the pod's listeners: any address in a pod's own namespace. */
  readonly listenIp: Ip;
  /** Local address of connections that the proxy opens; absent where the kernel's choice is right, as in a namespace. */
  readonly localIp?: Ip | undefined;
  /** As {@link InboundRequest.onlyPort}. */
  readonly onlyPort?: number | undefined;
  readonly originalSource: "required" | "off" | "bestEffort";
  readonly responseBaggage: boolean;
  readonly localhostApplicationTunnel: boolean;
}

/** Services of the process that every pod uses, and the pod's own. */
export interface PodContext {
  readonly options: PodOptions;
  readonly sockets: PodSockets;
  readonly mesh: MeshStore;
  readonly lookups: Lookups;
  readonly admission: PodAdmission;
  readonly connections: ConnectionTable;
  readonly relays: Relays;
  readonly telemetry: PodTelemetry;
  readonly authorizer: Authorizer;
  readonly live: LiveConnections;
  readonly revocation: PeerRevocation;
  readonly resolver: OnDemandDns;
  /** Certificate of an identity, with the TLS contexts made of it. */
  readonly certificate: (identity: Identity) => Promise<TlsContexts>;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly reportInternalError: ReportInternalError;
}

/** A pod may be started before the control plane has told of it. */
const LOCAL_WORKLOAD_WAIT_MS = 5000;
/** As Istio; the kernel would try for two minutes. */
export const CONNECT_TIMEOUT_MS = 10_000;

/** The pod itself, as the control plane knows it; undefined when it does not within 5 s. */
export function localWorkload(context: PodContext, signal?: AbortSignal): Promise<Workload | undefined> {
  const { pod, place } = context.options;
  return context.mesh.waitFor(
    (snapshot) => findLocalWorkload(snapshot, pod, place),
    LOCAL_WORKLOAD_WAIT_MS,
    signal,
  );
}

/** For whom this pod's connections look up. */
export function askerOf({ options: { pod } }: PodContext): string {
  return `${pod.namespace}/${pod.name}`;
}

export const UNKNOWN_LOCAL_WORKLOAD = "failed to fetch information about local workload";
