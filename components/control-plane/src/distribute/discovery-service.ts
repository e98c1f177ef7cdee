/** The aggregated discovery service, delta variant: all connected clients, and what is pushed to them (reference: protocol §3.8). */

import { fromBinary } from "@bufbuild/protobuf";
import { type ServiceDefinition, status, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { type Clock, describeError, type Logger } from "@meltemi/runtime";
import { discovery } from "@meltemi/wire";
import { DELTA_METHOD, type ResourceLog } from "@meltemi/xds";
import type { TokenAuthenticator } from "../certificate-authority/token-authenticator.ts";
import type { ClientKind, KnownPod } from "./client-kind.ts";
import { type Connection, type ConnectionStatus, createConnection, type DeltaCall } from "./connection.ts";
import type { DistributionMetrics } from "./metrics.ts";
import { createTurnstile, FIRST_RESPONSES } from "./turnstile.ts";

export interface DiscoveryOptions {
  /** False: callers need no token (`XDS_AUTH=false`); for tests and for debugging only. */
  readonly requireToken: boolean;
}

export interface DiscoveryDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: DistributionMetrics;
  readonly authenticator: TokenAuthenticator;
  readonly logsFor: (client: ClientKind) => readonly ResourceLog[];
  /** A pod as the cluster has it. */
  readonly pod: (namespace: string, name: string) => KnownPod | undefined;
  /** Streams are refused until the first compilation is there: an empty mesh must not be mistaken for the truth. */
  readonly isReady: () => boolean;
}

export interface DiscoveryService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
  /** Sends to every client what is new for it. `changedMs`: monotonic time of the oldest change among it. */
  push(changedMs: number): void;
  connections(): readonly ConnectionStatus[];
  /** Ends all streams; clients come back to whoever is there. */
  closeAll(): void;
}

/** Ten thousand nodes, and as many waypoints; each stream costs some tens of KiB. */
const MAX_CONNECTIONS = 20_000;

const DEFINITION: ServiceDefinition = {
  deltaAggregatedResources: {
    path: DELTA_METHOD,
    requestStream: true,
    responseStream: true,
    requestDeserialize: (bytes: Buffer) => fromBinary(discovery.DeltaDiscoveryRequestSchema, bytes),
    requestSerialize: (bytes: Buffer) => bytes,
    // Responses are put together from encoded parts; see encodeResponse.
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  },
};

export function createDiscoveryService(
  options: DiscoveryOptions,
  deps: DiscoveryDependencies,
): DiscoveryService {
  const { logger, metrics } = deps;
  const connections = new Set<Connection>();
  const turnstile = createTurnstile(FIRST_RESPONSES, deps.clock);
  let opened = 0;

  const refuse = (call: DeltaCall, code: number, reason: string, message: string): void => {
    metrics.refusedStreams(reason).inc();
    logger.warn("stream refused", { peer: call.getPeer(), reason: message });
    // The peer learns the kind of refusal; why is for the log.
    call.emit("error", { code, details: reason });
  };
  const accept = async (call: DeltaCall): Promise<void> => {
    // Until someone listens, a failing call would take the process down.
    call.on("error", () => undefined);
    if (connections.size >= MAX_CONNECTIONS) {
      refuse(call, status.RESOURCE_EXHAUSTED, "too many streams", `${MAX_CONNECTIONS} streams are open`);
      return;
    }
    if (!deps.isReady()) {
      refuse(call, status.UNAVAILABLE, "server is not ready", "the first compilation is not done");
      return;
    }
    const result = options.requireToken
      ? await deps.authenticator.authenticate(bearerHeaders(call))
      : undefined;
    if (result?.kind === "refused") {
      refuse(call, status.UNAUTHENTICATED, "authentication failure", result.reason);
      return;
    }
    if (result?.kind === "unavailable") {
      refuse(call, status.UNAVAILABLE, "authentication unavailable", result.reason);
      return;
    }
    if (call.cancelled || call.destroyed) return;
    if (!deps.isReady()) {
      // It began to shut down while the token was looked at: all other streams have been sent away.
      refuse(call, status.UNAVAILABLE, "server is shutting down", "the server began to shut down");
      return;
    }
    const connectionId = `${call.getPeer()}-${++opened}`;
    const connection = createConnection(call, result?.caller, connectionId, { ...deps, turnstile }, () => {
      connections.delete(connection);
      metrics.clients.set(connections.size);
    });
    connections.add(connection);
    metrics.clients.set(connections.size);
  };

  return {
    definition: DEFINITION,
    implementation: {
      deltaAggregatedResources: (call: DeltaCall): void => {
        accept(call).catch((error: unknown) => {
          metrics.internalErrors.add(1);
          logger.error("stream failed", { peer: call.getPeer(), reason: describeError(error) });
          call.emit("error", { code: status.INTERNAL, details: "internal error" });
        });
      },
    },
    push(changedMs) {
      for (const connection of connections) connection.push(changedMs);
    },
    connections: () => [...connections].map((connection) => connection.status),
    closeAll() {
      for (const connection of connections) connection.close(status.UNAVAILABLE, "server is shutting down");
    },
  };
}

function bearerHeaders(call: DeltaCall): readonly string[] {
  return call.metadata.get("authorization").map(String);
}
