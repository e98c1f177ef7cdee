/** Clusters of real connections to 127.0.0.1, and a gRPC server by Node's own HTTP/2; for what filters ask. */

import { once } from "node:events";
import { createServer } from "node:http2";
import { type AddressInfo, connect } from "node:net";
import { tcpChannel } from "@meltemi/l4";
import { applyAddressUpdates, EMPTY_SNAPSHOT, ip, newService, newWorkload } from "@meltemi/model";
import { type Cluster, newCluster, type PolicyOperation } from "@meltemi/model/l7";
import { type Clock, systemClock } from "@meltemi/runtime";
import type { BodyStart, FilterRun, LocalReply, RequestContext, RequestFilter } from "../request-context.ts";
import { LiveCluster } from "../upstream/live-cluster.ts";

const SERVICE = { namespace: "infra", hostname: "policy.infra.svc.cluster.local" };

/** A cluster of one endpoint, which is whatever listens at `port`. */
export function clusterAt(port: number, protocol: Cluster["protocol"]): LiveCluster {
  const ports = [{ servicePort: 80, targetPort: port, appProtocol: undefined }] as never;
  const service = newService({ name: "policy", ports, ...SERVICE });
  const workload = newWorkload({
    uid: "policy-1",
    name: "policy-1",
    namespace: SERVICE.namespace,
    addresses: [ip("127.0.0.1")],
    services: new Map([[`${SERVICE.namespace}/${SERVICE.hostname}`, ports]]),
  });
  const snapshot = applyAddressUpdates(EMPTY_SNAPSHOT, [
    { kind: "service", service },
    { kind: "workload", workload },
  ]);
  const config = newCluster({ name: "policy", service: SERVICE, port: 80, protocol });
  const view = { snapshot, labels: new Map() };
  const nowhere = { region: "", zone: "", subzone: "" };
  return new LiveCluster(config, {
    clock: systemClock,
    random: () => 0,
    view: () => view,
    source: () => ({ locality: nowhere, network: "", clusterId: "", node: "", labels: {} }),
    async dial({ port: to }) {
      const socket = connect({ port: to, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
      try {
        await once(socket, "connect");
        return { kind: "open", channel: tcpChannel(socket) };
      } catch (error) {
        return { kind: "failed", timedOut: false, detail: String(error) };
      }
    },
    onInternalError: (error) => {
      throw error;
    },
    onEjection: () => undefined,
  });
}

export interface GrpcServer {
  readonly port: number;
  /** Replaced by each test; undefined answers UNAVAILABLE. */
  answer: ((message: Buffer) => Uint8Array | undefined) | undefined;
  close(): void;
}

/** Serves one unary method with whatever bytes the test says. */
export async function startGrpcServer(path: string): Promise<GrpcServer> {
  const server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => void sessions.add(session));
  const started: GrpcServer = {
    port: 0,
    answer: undefined,
    close() {
      for (const session of sessions) session.destroy();
      server.close();
    },
  };
  server.on("stream", (stream, headers) => {
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => void chunks.push(chunk));
    stream.on("end", () => {
      const message = Buffer.concat(chunks).subarray(PREFIX_BYTES);
      const answer = headers[":path"] === path ? started.answer?.(message) : undefined;
      const head = { ":status": 200, "content-type": "application/grpc" };
      if (answer === undefined) {
        stream.respond({ ...head, "grpc-status": "14", "grpc-message": "not now" }, { endStream: true });
        return;
      }
      const prefix = Buffer.alloc(PREFIX_BYTES);
      prefix.writeUInt32BE(answer.length, 1);
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      stream.respond(head, { waitForTrailers: true });
      stream.end(Buffer.concat([prefix, answer]));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(started, { port: portOf(server) });
}

/** Compressed or not, and the length. */
const PREFIX_BYTES = 5;

export function portOf(server: { address(): string | AddressInfo | null }): number {
  return (server.address() as AddressInfo).port;
}

/** Of a request that nobody gives up. */
export function filterRun(body: BodyStart = { bytes: new Uint8Array(), isWhole: true }): FilterRun {
  return {
    signal: new AbortController().signal,
    readBody: async (maxBytes) => ({
      bytes: body.bytes.subarray(0, maxBytes),
      isWhole: body.isWhole && body.bytes.length <= maxBytes,
    }),
  };
}

/** The first answer that a filter gives in place of the service; undefined when all let the request pass. */
export async function judge(
  filters: readonly RequestFilter[],
  context: RequestContext,
  run: FilterRun = filterRun(),
): Promise<LocalReply | undefined> {
  for (const filter of filters) {
    const verdict = await filter.onRequest(context, run);
    if (verdict.kind === "reply") return verdict.reply;
  }
  return undefined;
}

/** A clock that a test moves. */
export class TestClock implements Clock {
  ms: number = 1_700_000_000_000;
  nowMs(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
  after(): { cancel(): void } {
    return { cancel: () => undefined };
  }
}

export const ANY_OPERATION: PolicyOperation = {
  hosts: [],
  notHosts: [],
  ports: [],
  notPorts: [],
  methods: [],
  notMethods: [],
  paths: [],
  notPaths: [],
};
