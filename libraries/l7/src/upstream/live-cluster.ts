/** A cluster at work: follows the mesh's endpoints, balances among them, ejects those that fail, and owns their connections. */

import {
  type ClientConnectionOwner,
  createHttp1Client,
  createHttp2Client,
  HTTP1_CLIENT_DEFAULTS,
  HTTP2_CLIENT_DEFAULTS,
  type Http2ConnectionOptions,
} from "@meltemi/http";
import {
  findWorkloadByAddress,
  type LoadBalancing,
  type MeshSnapshot,
  type SocketAddress,
} from "@meltemi/model";
import type { Cluster } from "@meltemi/model/l7";
import type { Clock, Timer } from "@meltemi/runtime";
import { type Balancer, createBalancer } from "../balance/balancer.ts";
import { hashRequest } from "../balance/hash-key.ts";
import type { LocalitySource } from "../balance/locality.ts";
import { type Ejection, OutlierDetector, type TryResult } from "../balance/outlier-detector.ts";
import type { RequestContext } from "../request-context.ts";
import { type ClusterEndpoint, clusterMembers, type Labels } from "./cluster-endpoints.ts";
import { ConnectionLimits } from "./connection-limits.ts";
import { EndpointPool, type EndpointPoolDeps } from "./endpoint-pool.ts";
import { type DialEndpoint, type EndpointAddress, EndpointState, LiveEndpoint } from "./live-endpoint.ts";
import type { EndpointChoice, UpstreamCluster } from "./upstream-cluster.ts";

/** All that a cluster follows; replaced as a whole, compared by identity. */
export interface MeshView {
  readonly snapshot: MeshSnapshot;
  /** By uid. A new object whenever any label changed. */
  readonly labels: { get(uid: string): Labels | undefined };
}

export interface LiveClusterDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly dial: DialEndpoint;
  /** The mesh as it is now. */
  readonly view: () => MeshView;
  /** Where this proxy is. */
  readonly source: () => LocalitySource;
  readonly onInternalError: (error: unknown) => void;
  readonly onEjection: (cluster: Cluster, ejection: Ejection) => void;
}

/** Addresses of passthrough traffic that keep connections; the one that was not used for longest goes. */
const MAX_PASSTHROUGH_ENDPOINTS = 1024;
/** What an HTTP/2 server should take at once at least (RFC 9113 §6.5.2); known for sure only when it is connected. */
const HOPED_STREAMS = 100;
const NO_LABELS: Labels = {};
const NONE: EndpointChoice = { kind: "none" };
const NOBODY: ReadonlySet<string> = new Set();

export class LiveCluster implements UpstreamCluster {
  readonly config: Cluster;
  readonly limits: ConnectionLimits;
  readonly #deps: LiveClusterDeps;
  readonly #detector: OutlierDetector | undefined;
  readonly #usesLabels: boolean;
  readonly #http2Options: Http2ConnectionOptions;
  readonly #hopedStreams: number;
  #states = new Map<string, EndpointState>();
  #endpoints: readonly LiveEndpoint[] = [];
  #preference: LoadBalancing | undefined;
  #balancer: Balancer<LiveEndpoint> | undefined;
  /** What the endpoints were made from. */
  #madeFrom: { readonly service: unknown; readonly endpoints: unknown; readonly labels: unknown } | undefined;
  /** The mesh when it was last looked at. */
  #followed: MeshSnapshot | undefined;
  #followedLabels: MeshView["labels"] | undefined;
  #sweep: Timer | undefined;
  #isRetired = false;

  constructor(config: Cluster, deps: LiveClusterDeps) {
    this.config = config;
    this.#deps = deps;
    this.limits = new ConnectionLimits(config.connectionPool);
    this.#usesLabels = config.subset !== undefined || config.locality?.kind === "failover";
    this.#http2Options = http2OptionsOf(config.connectionPool);
    this.#hopedStreams = Math.min(HOPED_STREAMS, this.#http2Options.maxStreams);
    const { outlierDetection } = config;
    if (outlierDetection === undefined) return;
    this.#detector = new OutlierDetector(outlierDetection);
    this.#scheduleSweep(outlierDetection.intervalMs);
  }

  /** For dumps: who is there now. */
  get endpoints(): readonly LiveEndpoint[] {
    this.#follow();
    return this.#endpoints;
  }

  get ejected(): ReadonlySet<string> {
    return this.#detector?.ejected ?? NOBODY;
  }

  choose(context: RequestContext, tried: readonly string[], otherLocalities: boolean): EndpointChoice {
    const { loadBalancer } = this.config;
    if (loadBalancer.kind === "passthrough") return this.#passThrough(context);
    this.#follow();
    this.#balancer ??= createBalancer(
      {
        endpoints: this.#endpoints,
        subset: this.config.subset?.labels,
        loadBalancer,
        locality: this.config.locality,
        preference: this.#preference,
        source: this.#deps.source(),
        ejected: this.ejected,
        minHealthPercent: this.config.outlierDetection?.minHealthPercent ?? 0,
      },
      this.#deps.random,
    );
    const { random, clock } = this.#deps;
    const isHashed = loadBalancer.kind === "ringHash" || loadBalancer.kind === "maglev";
    const key = isHashed ? hashRequest(loadBalancer.key, context, random) : undefined;
    const endpoint = this.#balancer.pick({
      nowMs: clock.monotonicMs(),
      random,
      hash: key?.hash,
      tried,
      otherPriorities: otherLocalities,
    });
    return endpoint === undefined ? NONE : { kind: "endpoint", endpoint, setCookie: key?.setCookie };
  }

  report({ uid }: { readonly uid: string }, result: TryResult): void {
    const ejection = this.#detector?.onResult(uid, result, this.#deps.clock.monotonicMs());
    if (ejection === undefined) return;
    this.#balancer = undefined;
    this.#deps.onEjection(this.config, ejection);
  }

  connectTcp(
    endpoint: EndpointAddress,
    signal: AbortSignal,
    client: SocketAddress,
  ): ReturnType<DialEndpoint> {
    return this.#deps.dial(endpoint, this.config, "tcp", signal, client);
  }

  /** The cluster is used no more. Who still has it from before is served, but no connection is kept. */
  drain(): void {
    this.#isRetired = true;
    this.#sweep?.cancel();
    for (const state of this.#states.values()) state.retire();
  }

  /** The mesh is looked at when a request comes: a change costs nothing to the clusters that nobody asks for. */
  #follow(): void {
    const { snapshot, labels } = this.#deps.view();
    // Two look-ups by text and the text for them are 2 % of a request; most requests find the mesh as the last one did.
    if (snapshot === this.#followed && labels === this.#followedLabels) return;
    this.#followed = snapshot;
    this.#followedLabels = labels;
    const { namespace, hostname } = this.config.service;
    const key = `${namespace}/${hostname}`;
    const service = snapshot.services.get(key);
    const endpoints = snapshot.endpoints.get(key);
    const from = this.#madeFrom;
    const isSame = from !== undefined && from.service === service && from.endpoints === endpoints;
    if (isSame && (!this.#usesLabels || from.labels === labels)) return;
    this.#madeFrom = { service, endpoints, labels };
    const members = clusterMembers(snapshot, this.config, (uid) => labels.get(uid) ?? NO_LABELS);
    this.#preference = members.service?.loadBalancing;
    this.#replace(members.endpoints);
  }

  #replace(members: readonly ClusterEndpoint[]): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const states = new Map<string, EndpointState>();
    const endpoints: LiveEndpoint[] = [];
    for (const member of members) {
      // A workload that moved is another place to connect to.
      const place = `${member.uid} ${member.ip}:${member.port}`;
      const state = this.#states.get(place) ?? this.#newState(nowMs, member);
      states.set(place, state);
      endpoints.push(new LiveEndpoint(member.uid, member, this.config.protocol, state));
    }
    for (const [place, state] of this.#states) if (!states.has(place)) state.drain();
    this.#states = states;
    this.#endpoints = endpoints;
    this.#detector?.setEndpoints(members.map(({ uid }) => uid));
    this.#balancer = undefined;
  }

  #passThrough({ destination }: RequestContext): EndpointChoice {
    const uid = `${destination.ip}:${destination.port}`;
    const known = this.#states.get(uid);
    const address = { ip: destination.ip, port: destination.port, workload: undefined };
    const state = known ?? this.#newState(this.#deps.clock.monotonicMs(), address);
    this.#states.delete(uid);
    this.#states.set(uid, state);
    if (this.#states.size > MAX_PASSTHROUGH_ENDPOINTS) this.#forgetOldest();
    // For telemetry, and as it is now: connections outlive what is known of an address, and their dialler looks for itself.
    const { snapshot } = this.#deps.view();
    const workload = findWorkloadByAddress(snapshot, this.#deps.source().network, destination.ip);
    const endpoint = new LiveEndpoint(uid, { ...address, workload }, this.config.protocol, state);
    return { kind: "endpoint", endpoint, setCookie: undefined };
  }

  #forgetOldest(): void {
    const [oldest] = this.#states;
    if (oldest === undefined) return;
    oldest[1].drain();
    this.#states.delete(oldest[0]);
  }

  #newState(nowMs: number, address: ConstructorParameters<typeof LiveEndpoint>[1]): EndpointState {
    const state = new EndpointState(nowMs, this.#poolsOf(address));
    if (this.#isRetired) state.retire();
    return state;
  }

  #poolsOf(
    address: ConstructorParameters<typeof LiveEndpoint>[1],
  ): (version: "HTTP/1.1" | "HTTP/2") => EndpointPool {
    const { connectTimeoutMs, httpIdleTimeoutMs, maxRequestsPerConnection, maxConnectionDurationMs } =
      this.config.connectionPool;
    const { clock, onInternalError } = this.#deps;
    return (version) =>
      new EndpointPool(
        {
          connectTimeoutMs,
          idleTimeoutMs: httpIdleTimeoutMs,
          maxRequestsPerConnection,
          requestsAtOnce: version === "HTTP/1.1" ? 1 : this.#hopedStreams,
          ...(maxConnectionDurationMs !== undefined && { maxConnectionDurationMs }),
        },
        {
          clock,
          limits: this.limits,
          onInternalError,
          dial: (owner, signal) => this.#connect(address, version, owner, signal),
        },
      );
  }

  async #connect(
    address: EndpointAddress,
    version: "HTTP/1.1" | "HTTP/2",
    owner: ClientConnectionOwner,
    signal: AbortSignal,
  ): ReturnType<EndpointPoolDeps["dial"]> {
    const { clock, dial, onInternalError } = this.#deps;
    const dialled = await dial(address, this.config, version, signal);
    if (dialled.kind === "failed") return dialled;
    const connection =
      version === "HTTP/1.1"
        ? createHttp1Client(dialled.channel, owner, HTTP1_CLIENT_DEFAULTS, { clock, onInternalError })
        : createHttp2Client(dialled.channel, owner, this.#http2Options, { clock, onInternalError });
    return { kind: "open", connection };
  }

  #scheduleSweep(intervalMs: number): void {
    this.#sweep = this.#deps.clock.after(intervalMs, () => {
      const returned = this.#detector?.onSweep(this.#deps.clock.monotonicMs()) ?? [];
      if (returned.length > 0) this.#balancer = undefined;
      this.#scheduleSweep(intervalMs);
    });
  }
}

function http2OptionsOf({
  maxConcurrentStreams,
  http2Keepalive,
}: Cluster["connectionPool"]): Http2ConnectionOptions {
  return {
    ...HTTP2_CLIENT_DEFAULTS,
    ...(maxConcurrentStreams !== undefined && { maxStreams: maxConcurrentStreams }),
    ...(http2Keepalive !== undefined && {
      keepaliveIntervalMs: http2Keepalive.intervalMs,
      keepaliveTimeoutMs: http2Keepalive.timeoutMs,
    }),
  };
}
