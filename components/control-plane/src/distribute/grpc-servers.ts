/**
 * The two doors: 15012 with TLS for discovery and certificates, 15010 without TLS for discovery alone. Both ask for the same
 * tokens (docs/decisions/0007-plaintext-door.md).
 */

import {
  Server,
  type ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { type Clock, MeshError } from "@meltemi/runtime";

export interface GrpcService {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/**
 * A reconnecting client names every resource that it holds with its version: about 100 bytes each, so that this is good for
 * 300 000 workloads (reference: l7-and-cli §9, trap 20).
 */
const MAX_REQUEST_BYTES = 32 * 1024 * 1024;

const SERVER_OPTIONS = {
  "grpc.max_receive_message_length": MAX_REQUEST_BYTES,
  "grpc.keepalive_time_ms": 30_000,
  "grpc.keepalive_timeout_ms": 10_000,
  // Clients move to other replicas, and show a fresh token, at least this often (reference: protocol §3.8).
  "grpc.max_connection_age_ms": 30 * 60_000,
  "grpc.max_connection_age_grace_ms": 10_000,
  // A client has one delta stream and a few certificate requests at a time.
  "grpc.max_concurrent_streams": 128,
} as const;

export interface GrpcServer {
  /** `host:port`, or `:port` for all addresses; port 0 takes a free one. Resolves to the port; rejects with UNAVAILABLE when it is taken. */
  listen(address: string, credentials: ServerCredentials): Promise<number>;
  /** Lets calls end until `deadlineMs` has passed, then ends them. */
  drain(deadlineMs: number): Promise<void>;
}

export function createGrpcServer(services: readonly GrpcService[], clock: Clock): GrpcServer {
  const server = new Server(SERVER_OPTIONS);
  for (const { definition, implementation } of services) server.addService(definition, implementation);
  return {
    async listen(address, credentials) {
      if (!address.startsWith(":")) return await bind(server, address, credentials);
      // One socket for both families; a machine without IPv6 refuses it.
      return await bind(server, `[::]${address}`, credentials).catch(() =>
        bind(server, `0.0.0.0${address}`, credentials),
      );
    },
    drain: (deadlineMs) =>
      new Promise((resolve) => {
        const timer = clock.after(deadlineMs, () => server.forceShutdown());
        server.tryShutdown(() => {
          timer.cancel();
          resolve();
        });
      }),
  };
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (cause, port) => {
      if (cause === null) resolve(port);
      else reject(new MeshError("UNAVAILABLE", `listen on ${address} for gRPC: cannot bind`, { cause }));
    });
  });
}
