/** One gRPC stream to the control plane: opens it, hands over messages, and says once how it ended. */

import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  connectivityState,
  credentials,
  Metadata,
} from "@grpc/grpc-js";
import { type Clock, describeError, MeshError } from "@meltemi/runtime";
import { discovery } from "@meltemi/wire";
import type { StreamEnd } from "./connection.ts";
import type { DeltaRequest } from "./ledger.ts";

export const DELTA_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/** A whole mesh may come in one response; the figure is ztunnel's. */
const MAX_RESPONSE_BYTES = 200 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 5_000;
const KEEPALIVE_INTERVAL_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;

export interface StreamOptions {
  readonly address: string;
  readonly alternateHostname?: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly rootCertificates: string | undefined;
}

export interface StreamHandlers {
  readonly onResponse: (response: discovery.DeltaDiscoveryResponse, bytes: number) => void;
  readonly onEnd: (end: StreamEnd) => void;
}

export interface DeltaStream {
  send(request: DeltaRequest): void;
  close(): void;
}

interface Incoming {
  readonly response: discovery.DeltaDiscoveryResponse;
  readonly bytes: number;
}

/**
 * Opens a connection of its own: gRPC's shared subchannels would bring waits of their own.
 * Throws INPUT_INVALID for an address, a header or a root certificate that cannot be used.
 */
export function openDeltaStream(options: StreamOptions, handlers: StreamHandlers, clock: Clock): DeltaStream {
  const target = parseTarget(options.address);
  const client = new Client(target.authority, channelCredentials(target, options), {
    "grpc.max_receive_message_length": MAX_RESPONSE_BYTES,
    "grpc.keepalive_time_ms": KEEPALIVE_INTERVAL_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
    "grpc.enable_retries": 0,
    "grpc.enable_http_proxy": 0,
    "grpc.service_config_disable_resolution": 1,
    "grpc.use_local_subchannel_pool": 1,
  });
  const metadata = new Metadata();
  for (const [name, value] of options.headers) metadata.set(name, value);
  const call: ClientDuplexStream<DeltaRequest, Incoming> = client.makeBidiStreamRequest(
    DELTA_METHOD,
    encodeRequest,
    decodeResponse,
    metadata,
  );
  let wasConnected = false;
  const connected = (): boolean => {
    wasConnected ||= client.getChannel().getConnectivityState(false) === connectivityState.READY;
    return wasConnected;
  };
  const connectTimer = clock.after(CONNECT_TIMEOUT_MS, () => {
    if (!connected()) call.cancel();
  });
  call.on("metadata", () => {
    wasConnected = true;
  });
  call.on("data", ({ response, bytes }: Incoming) => {
    wasConnected = true;
    handlers.onResponse(response, bytes);
  });
  // "status" follows every end, good or bad, and says the same; without this listener the error would be thrown.
  call.on("error", () => undefined);
  call.on("status", (status) => {
    connectTimer.cancel();
    const end = describeEnd(status.code, status.details, connected());
    client.close();
    handlers.onEnd(end);
  });
  return {
    send: (request) => {
      call.write(request);
    },
    close: () => call.cancel(),
  };
}

const OK = 0;
const UNAVAILABLE = 14;
const CANCELLED = 1;

function describeEnd(code: number, message: string, connected: boolean): StreamEnd {
  if (code === OK) return { kind: "completed" };
  if (!connected && (code === UNAVAILABLE || code === CANCELLED))
    return { kind: "connectionFailed", message };
  return { kind: "failed", code, message };
}

function encodeRequest(request: DeltaRequest): Buffer {
  const bytes = toBinary(
    discovery.DeltaDiscoveryRequestSchema,
    create(discovery.DeltaDiscoveryRequestSchema, request),
  );
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What it throws, grpc-js turns into the end of the stream. */
function decodeResponse(bytes: Buffer): Incoming {
  return { response: fromBinary(discovery.DeltaDiscoveryResponseSchema, bytes), bytes: bytes.length };
}

interface Target {
  readonly authority: string;
  readonly host: string;
  readonly secure: boolean;
}

function parseTarget(address: string): Target {
  const withScheme = address.includes("://") ? address : `https://${address}`;
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined;
  const secure = url?.protocol === "https:";
  if (url === undefined || (!secure && url.protocol !== "http:") || url.hostname === "")
    throw new MeshError(
      "INPUT_INVALID",
      `connect to control plane ${JSON.stringify(address)}: expected https://host:port or http://host:port`,
    );
  const port = url.port === "" ? (secure ? 443 : 80) : url.port;
  return { authority: `${url.hostname}:${port}`, host: url.hostname.replace(/^\[|\]$/g, ""), secure };
}

function channelCredentials(target: Target, options: StreamOptions): ChannelCredentials {
  if (!target.secure) return credentials.createInsecure();
  const roots = options.rootCertificates === undefined ? null : Buffer.from(options.rootCertificates);
  try {
    return credentials.createSsl(roots, null, null, {
      checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
        checkNames([target.host, options.alternateHostname], certificate),
    });
  } catch (cause) {
    throw new MeshError(
      "INPUT_INVALID",
      `trust control plane ${target.authority}: expected PEM root certificates (${describeError(cause)})`,
    );
  }
}

/** Good when the certificate carries any of the names. */
function checkNames(names: readonly (string | undefined)[], certificate: PeerCertificate): Error | undefined {
  let refusal: Error | undefined;
  for (const name of names) {
    if (name === undefined) continue;
    const error = checkServerIdentity(name, certificate);
    if (error === undefined) return undefined;
    refusal ??= error;
  }
  return refusal;
}
