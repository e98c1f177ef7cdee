/** Requests of the pod's HBONE server, from CONNECT to the end of the relay (reference: protocol §1.5, §5.2). */

import type { HboneRequest } from "@meltemi/hbone";
import { headerValues } from "@meltemi/hbone";
import { tcpChannel } from "@meltemi/l4";
import {
  findAddress,
  formatIdentity,
  formatSocketAddress,
  parseIp,
  type SocketAddress,
  type Workload,
  workloadIdentity,
} from "@meltemi/model";
import { describeError } from "@meltemi/runtime";
import { encodeBaggage, parseBaggage } from "../headers/baggage.ts";
import { forwardedHost } from "../headers/forwarded.ts";
import { localWorkload, type PodContext, UNKNOWN_LOCAL_WORKLOAD } from "../pods/pod-context.ts";
import { CLOSED_BY_POLICY } from "../policy/live-connections.ts";
import { Attempt } from "../sockets/attempt.ts";
import { accessLogPeer } from "../telemetry/access-record.ts";
import type { OpenConnection } from "../telemetry/connection-telemetry.ts";
import { CLOSED_BY_DRAIN, relayEnding } from "../telemetry/connection-telemetry.ts";
import { connectApplication } from "./connect-application.ts";
import { decideInbound, type InboundDecision, inboundService } from "./decide-inbound.ts";

export interface HboneInbound {
  readonly context: PodContext;
  /** Whether the kernel grants transparent sockets in the pod's namespace. */
  readonly transparent: boolean;
}

/** Answers the request. Never throws or rejects. */
export async function acceptHboneRequest(inbound: HboneInbound, request: HboneRequest): Promise<void> {
  const { context } = inbound;
  const client = addressOf(request.peer.remoteAddress, request.peer.remotePort);
  const local = addressOf(request.peer.localAddress, request.peer.localPort);
  if (client === undefined || local === undefined) return request.refuse(503);
  const place = context.admission.take();
  const refuse = (status: number, why: string): void => {
    context.telemetry.refused(formatSocketAddress(client), formatSocketAddress(local), "inbound", why);
    request.refuse(status);
  };
  try {
    if (place.kind === "refused") return refuse(503, place.message);
    const workload = await localWorkload(context, request.abandoned);
    if (workload === undefined) return refuse(503, UNKNOWN_LOCAL_WORKLOAD);
    const decision = decideInbound(context.mesh.current, {
      workload,
      localIp: local.ip,
      authority: request.authority,
      network: context.options.network,
      ports: context.options.ports,
      onlyPort: context.options.onlyPort,
      localhostApplicationTunnel: context.options.localhostApplicationTunnel,
    });
    if (decision.kind === "refuse") return refuse(decision.status, decision.message);
    await serve(inbound, request, { workload, decision, client, local });
  } catch (error) {
    request.refuse(503);
    context.logger.warn("inbound connection failed", { error: describeError(error) });
  } finally {
    if (place.kind === "admitted") place.release();
  }
}

interface InboundConnection {
  readonly workload: Workload;
  readonly decision: Extract<InboundDecision, { kind: "connect" }>;
  readonly client: SocketAddress;
  readonly local: SocketAddress;
}

async function serve(
  inbound: HboneInbound,
  request: HboneRequest,
  connection: InboundConnection,
): Promise<void> {
  const { context } = inbound;
  const { workload, decision, client } = connection;
  const telemetry = openTelemetry(context, request, connection);
  const attempt = Attempt.following(request.abandoned);
  let cutByPolicy = (): void => attempt.end(CLOSED_BY_POLICY);
  let cutByDrain = (): void => attempt.end(CLOSED_BY_DRAIN);
  const l4 = { sourceIp: client.ip, identity: request.peer.identity, destination: decision.address };
  // Registered before it is judged: a policy that changes meanwhile finds it.
  const forget = context.live.register({
    workloadUid: workload.uid,
    connection: l4,
    cut: () => cutByPolicy(),
  });
  const remove = context.connections.add("inbound", entryOf(request, connection), () => cutByDrain());
  try {
    const verdict = await context.authorizer.authorize(workload.uid, l4, attempt.signal);
    if (verdict.kind === "deny") return fail(request, telemetry, 401, verdict.message);
    if (attempt.cutBecause !== undefined) return fail(request, telemetry, 401, attempt.cutBecause);
    const proxy = decision.proxyDestination && {
      destination: decision.proxyDestination,
      identity: request.peer.identity,
    };
    const target = {
      address: decision.address,
      client,
      keepSourceAddress: decision.keepSourceAddress,
      proxy,
    };
    const application = await connectApplication(context, inbound.transparent, target, attempt.signal);
    attempt.settle();
    if (application.kind === "failed") return fail(request, telemetry, 503, application.error);
    const upstream = tcpChannel(application.socket);
    const session = context.relays.start(request.accept(responseHeaders(context, workload)), upstream);
    cutByPolicy = () => session.abort("policy");
    cutByDrain = () => session.abort("drain");
    if (attempt.cutBecause !== undefined) cutByPolicy();
    telemetry.carry(session);
    const { flag, error } = relayEnding(await session.finished);
    telemetry.finish(flag, error);
  } finally {
    forget();
    remove();
  }
}

function fail(request: HboneRequest, telemetry: OpenConnection, status: 401 | 503, why: string): void {
  request.refuse(status);
  telemetry.finish(status === 401 ? "DENY" : "CONNECT", why);
}

function responseHeaders(context: PodContext, workload: Workload): readonly (readonly [string, string])[] {
  return context.options.responseBaggage ? [["baggage", encodeBaggage(workload)]] : [];
}

function entryOf(request: HboneRequest, { client, decision }: InboundConnection) {
  return {
    src: formatSocketAddress(client),
    originalDst: forwardedHost(headerValues(request.headers, "forwarded")[0]) ?? null,
    actualDst: formatSocketAddress(decision.address),
    protocol: "HBONE",
  } as const;
}

function openTelemetry(
  context: PodContext,
  request: HboneRequest,
  { workload, decision, client, local }: InboundConnection,
): OpenConnection {
  const snapshot = context.mesh.current;
  const { network } = context.options;
  const { identity } = request.peer;
  // Through a gateway of another network the peer's address is the gateway's: then only its own words describe it.
  const through = headerValues(request.headers, "x-forwarded-network")[0];
  const remote = through !== undefined && through.toLowerCase() !== network.toLowerCase();
  const found = remote ? undefined : findAddress(snapshot, network, client.ip, workload.namespace);
  const source = found?.kind === "workload" ? found.workload : undefined;
  const meant = forwardedHost(headerValues(request.headers, "forwarded")[0]);
  const service = inboundService(snapshot, workload, decision.address.port, meant);
  return context.telemetry.open(
    {
      reporter: "destination",
      source,
      sourceIdentity: identity,
      sourceBaggage: parseBaggage(headerValues(request.headers, "baggage")),
      destination: workload,
      destinationService: service,
      mutualTls: true,
    },
    {
      direction: "inbound",
      source: {
        ...accessLogPeer(source),
        address: formatSocketAddress(client),
        identity: formatIdentity(identity),
      },
      destination: {
        ...accessLogPeer(workload),
        address: formatSocketAddress(local),
        hboneAddress: formatSocketAddress(decision.address),
        service: service?.hostname,
        identity: formatIdentity(workloadIdentity(workload)),
      },
    },
  );
}

function addressOf(ipText: string, port: number): SocketAddress | undefined {
  const ip = parseIp(ipText);
  return ip === undefined ? undefined : { ip, port };
}
