/** Executes an outbound decision: a channel to the destination, or why there is none. Chooses nothing. */

import {
  type Baggage,
  encodeBaggage,
  encodeForwarded,
  type HbonePool,
  type HeaderFields,
  headerValues,
  openInnerTunnel,
  parseBaggage,
  type TunnelOutcome,
} from "@meltemi/hbone";
import { type ByteChannel, tcpChannel } from "@meltemi/l4";
import {
  formatSocketAddress,
  type Identity,
  type SocketAddress,
  type Workload,
  workloadIdentity,
} from "@meltemi/model";
import { describeError } from "@meltemi/runtime";
import { CONNECT_TIMEOUT_MS, type PodContext } from "../pods/pod-context.ts";
import { sourceFor } from "../sockets/pod-sockets.ts";
import type { ResponseFlag } from "../telemetry/connection-labels.ts";
import type { ConnectableDecision } from "./decide-outbound.ts";

export type Connected =
  | { readonly kind: "connected"; readonly channel: ByteChannel; readonly far?: FarEnd | undefined }
  | { readonly kind: "failed"; readonly flag: ResponseFlag; readonly error: string };

/** Who answered at the end of a double tunnel: chosen by the other network, known by TLS and its own words. */
export interface FarEnd {
  readonly identity: Identity;
  /** Absent when it described itself by nothing. */
  readonly baggage: Baggage | undefined;
}

export interface OutboundConnector {
  readonly context: PodContext;
  readonly pool: HbonePool;
}

export function connectOutbound(
  connector: OutboundConnector,
  decision: ConnectableDecision,
  source: Workload,
  client: SocketAddress,
  signal: AbortSignal,
): Promise<Connected> {
  switch (decision.kind) {
    case "passthrough":
    case "tcp":
      return connectPlain(connector.context, decision.address, signal);
    case "hbone":
      return connectTunnel(connector, decision, source, client, signal);
    case "doubleHbone":
      return connectDoubleTunnel(connector, decision, source, client, signal);
  }
}

async function connectPlain(
  context: PodContext,
  address: SocketAddress,
  signal: AbortSignal,
): Promise<Connected> {
  const { localIp } = context.options;
  const local = localIp === undefined ? undefined : sourceFor(localIp, address);
  try {
    const socket = await context.sockets.dial(address, {
      timeoutMs: CONNECT_TIMEOUT_MS,
      signal,
      source: local,
    });
    return {
      kind: "connected",
      channel: tcpChannel(socket, (error) => context.reportInternalError("connection", error)),
    };
  } catch (error) {
    return { kind: "failed", flag: "CONNECT", error: `connection failed: ${describeError(error)}` };
  }
}

async function connectTunnel(
  connector: OutboundConnector,
  decision: Extract<ConnectableDecision, { kind: "hbone" }>,
  source: Workload,
  client: SocketAddress,
  signal: AbortSignal,
): Promise<Connected> {
  const headers = tunnelHeaders(connector.context, source, client, decision.target.service?.hostname);
  const outcome = await openTunnel(connector, decision, decision.expected, source, client, headers, signal);
  return outcome.kind === "open" ? { kind: "connected", channel: outcome.channel } : failure(outcome);
}

/** The outer tunnel ends at the gateway, the inner one at a workload of the other network; the gateway sees only TLS. */
async function connectDoubleTunnel(
  connector: OutboundConnector,
  decision: Extract<ConnectableDecision, { kind: "doubleHbone" }>,
  source: Workload,
  client: SocketAddress,
  signal: AbortSignal,
): Promise<Connected> {
  const { context } = connector;
  const headers = tunnelHeaders(context, source, client, decision.target.service?.hostname);
  const outer = await openTunnel(
    connector,
    decision,
    decision.outerExpected,
    source,
    client,
    headers,
    signal,
  );
  if (outer.kind !== "open") return failure(outer);
  const network: HeaderFields = [["x-forwarded-network", context.options.network]];
  const inner = await openInnerTunnel(
    outer.channel,
    {
      source: workloadIdentity(source),
      expected: decision.innerExpected,
      authority: decision.authority,
      headers: [...headers, ...network],
      gateway: decision.address,
      client,
    },
    {
      clock: context.clock,
      certificate: context.certificate,
      follow: (pool) => context.revocation.follow("server", pool),
      onInternalError: (error) => context.reportInternalError("tunnel", error),
    },
    signal,
  );
  if (inner.kind !== "open") return failure(inner);
  const described = headerValues(inner.headers, "baggage");
  const baggage = described.length === 0 ? undefined : parseBaggage(described);
  return { kind: "connected", channel: inner.channel, far: { identity: inner.peer.identity, baggage } };
}

function openTunnel(
  connector: OutboundConnector,
  to: { readonly address: SocketAddress; readonly authority: string },
  expected: readonly Identity[],
  source: Workload,
  client: SocketAddress,
  headers: HeaderFields,
  signal: AbortSignal,
): Promise<TunnelOutcome> {
  const key = { source: workloadIdentity(source), expected, destination: to.address, sourceIp: client.ip };
  return connector.pool.openTunnel(key, { authority: to.authority, headers }, signal);
}

function tunnelHeaders(
  context: PodContext,
  source: Workload,
  client: SocketAddress,
  serviceHostname: string | undefined,
): HeaderFields {
  return [
    ["baggage", encodeBaggage(source)],
    ["forwarded", encodeForwarded(client, serviceHostname)],
    ["traceparent", `00-${randomHex(context.random, 32)}-${randomHex(context.random, 16)}-00`],
  ];
}

function randomHex(random: () => number, digits: number): string {
  let text = "";
  while (text.length < digits)
    text += Math.floor(random() * 0x1_0000_0000)
      .toString(16)
      .padStart(8, "0");
  return text;
}

function failure(outcome: Exclude<TunnelOutcome, { kind: "open" }>): Extract<Connected, { kind: "failed" }> {
  if (outcome.kind === "refused")
    return {
      kind: "failed",
      flag: outcome.status === 401 ? "DENY" : "CONNECT",
      error: `http status: ${outcome.status}`,
    };
  const { stage, detail } = outcome;
  switch (stage) {
    case "connect-timeout":
      return {
        kind: "failed",
        flag: "NETWORK_POLICY",
        error: `connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: ${detail}`,
      };
    case "tls":
      return { kind: "failed", flag: "TLS_FAILURE", error: detail };
    case "revoked":
      return { kind: "failed", flag: "CERT_REVOKED", error: detail };
    case "identity":
    case "certificate":
      return { kind: "failed", flag: "IDENTITY_ERROR", error: detail };
    case "stream":
      return { kind: "failed", flag: "H2_HANDSHAKE_FAILURE", error: detail };
    case "connect":
    case "closed":
      return { kind: "failed", flag: "CONNECT", error: `connection failed: ${detail}` };
  }
}

/** What a log line calls the destination of a decision. */
export function decisionAddress(decision: ConnectableDecision): string {
  return formatSocketAddress(decision.address);
}
