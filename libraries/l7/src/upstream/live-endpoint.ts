/** One endpoint of one cluster as this process knows it: what it is, what runs there, and its connections. */

import type { HttpVersion } from "@meltemi/http";
import type { ByteChannel } from "@meltemi/l4";
import type { Ip, Locality, SocketAddress, Workload } from "@meltemi/model";
import type { Cluster } from "@meltemi/model/l7";
import type { BalancedEndpoint } from "../balance/endpoint.ts";
import type { ClusterEndpoint, Labels } from "./cluster-endpoints.ts";
import type { DialFailure, EndpointPool } from "./endpoint-pool.ts";
import type { UpstreamEndpoint } from "./upstream-cluster.ts";

/** What will be spoken on a connection; for ALPN, where TLS is originated. */
export type SpokenProtocol = "HTTP/1.1" | "HTTP/2" | "tcp";

/** Opens a connection to the endpoint. Rejections are errors of this program. */
export type DialEndpoint = (
  endpoint: EndpointAddress,
  cluster: Cluster,
  speaks: SpokenProtocol,
  signal: AbortSignal,
  /** For PROXY protocol; undefined where many clients share the connection. */
  client?: SocketAddress,
) => Promise<{ readonly kind: "open"; readonly channel: ByteChannel } | DialFailure>;

/** Where an endpoint is. */
export interface EndpointAddress {
  /** Undefined: by the workload's host name. */
  readonly ip: Ip | undefined;
  readonly port: number;
  /** Undefined: an address that the mesh does not know. */
  readonly workload: Workload | undefined;
}

/** What stays when an endpoint's description changes: its connections, and what runs on them. */
export class EndpointState {
  active = 0;
  readonly sinceMs: number;
  readonly #newPool: (version: "HTTP/1.1" | "HTTP/2") => EndpointPool;
  #http1: EndpointPool | undefined;
  #http2: EndpointPool | undefined;
  #isRetired = false;

  constructor(sinceMs: number, newPool: (version: "HTTP/1.1" | "HTTP/2") => EndpointPool) {
    this.sinceMs = sinceMs;
    this.#newPool = newPool;
  }

  pool(version: "HTTP/1.1" | "HTTP/2"): EndpointPool {
    if (version === "HTTP/2") {
      this.#http2 ??= this.#make("HTTP/2");
      return this.#http2;
    }
    this.#http1 ??= this.#make("HTTP/1.1");
    return this.#http1;
  }

  #make(version: "HTTP/1.1" | "HTTP/2"): EndpointPool {
    const pool = this.#newPool(version);
    if (this.#isRetired) pool.retire();
    return pool;
  }

  get connections(): number {
    return (this.#http1?.connections ?? 0) + (this.#http2?.connections ?? 0);
  }

  /** Keeps no connection from now on. */
  retire(): void {
    this.#isRetired = true;
    this.#http1?.retire();
    this.#http2?.retire();
  }

  drain(): void {
    this.#http1?.drain();
    this.#http2?.drain();
  }
}

const NOWHERE: Locality = { region: "", zone: "", subzone: "" };
const NO_LABELS: Labels = {};

export class LiveEndpoint implements BalancedEndpoint, UpstreamEndpoint, EndpointAddress {
  readonly uid: string;
  readonly ip: Ip | undefined;
  readonly port: number;
  readonly workload: Workload | undefined;
  readonly address: string;
  readonly weight: number;
  readonly labels: Labels;
  readonly healthy: boolean;
  readonly locality: Locality;
  readonly network: string;
  readonly clusterId: string;
  readonly node: string;
  readonly state: EndpointState;
  readonly #protocol: Cluster["protocol"];

  constructor(
    uid: string,
    given: EndpointAddress & Partial<Pick<ClusterEndpoint, "labels">>,
    protocol: Cluster["protocol"],
    state: EndpointState,
  ) {
    const { workload } = given;
    this.uid = uid;
    this.ip = given.ip;
    this.port = given.port;
    this.workload = workload;
    this.address = `${given.ip ?? workload?.hostname ?? ""}:${given.port}`;
    this.weight = workload?.capacity ?? 1;
    this.labels = given.labels ?? NO_LABELS;
    this.healthy = workload?.status !== "unhealthy";
    this.locality = workload?.locality ?? NOWHERE;
    this.network = workload?.network ?? "";
    this.clusterId = workload?.clusterId ?? "";
    this.node = workload?.node ?? "";
    this.state = state;
    this.#protocol = protocol;
  }

  get sinceMs(): number {
    return this.state.sinceMs;
  }

  get active(): number {
    return this.state.active;
  }

  set active(active: number) {
    this.state.active = active;
  }

  poolFor(version: HttpVersion): EndpointPool {
    const isHttp2 = this.#protocol === "http2" || (this.#protocol === "sameAsClient" && version === "HTTP/2");
    return this.state.pool(isHttp2 ? "HTTP/2" : "HTTP/1.1");
  }
}
