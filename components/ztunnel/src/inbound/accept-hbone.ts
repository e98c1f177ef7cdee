/** Requests of the pod's HBONE server, from CONNECT to the end of the relay (reference: protocol §1.5, §5.2). */

import { encodeBaggage, forwardedHost, type HboneRequest, headerValues, parseBaggage } from "@meltemi/hbone";
import {
  findAddress,
  formatIdentity,
  formatSocketAddress,
  type Ip,
  type MeshSnapshot,
  parseIp,
  type SocketAddress,
  type Workload,
  workloadIdentity,
} from "@meltemi/model";
import { admit } from "../pods/admit.ts";
import { askerOf, localWorkload, type PodContext, UNKNOWN_LOCAL_WORKLOAD } from "../pods/pod-context.ts";
import { Attempt } from "../sockets/attempt.ts";
import { accessLogPeer } from "../telemetry/access-record.ts";
import type { OpenConnection } from "../telemetry/connection-telemetry.ts";
import {
  decideInbound,
  type InboundDecision,
  inboundService,
  namesOfMeantService,
} from "./decide-inbound.ts";
import { describeInbound } from "./describe-inbound.ts";
import { serveInbound } from "./serve-inbound.ts";

export interface HboneInbound {
  readonly context: PodContext;
  /** Whether the kernel grants transparent sockets in the pod's namespace. */
  readonly transparent: boolean;
}

/** Answers the request. Never throws or rejects. */
export async function acceptHboneRequest(inbound: HboneInbound, request: HboneRequest): Promise<void> {
  const { context } = inbound;
  const client = addressOf(request.peer.remoteAddress, request.peer.remotePort);
  const destination = addressOf(request.peer.localAddress, request.peer.localPort);
  if (client === undefined || destination === undefined) return request.refuse(503);
  const refuse = (status: number): void => request.refuse(status);
  await admit(context, { direction: "inbound", client, destination, refuse }, async () => {
    const workload = await localWorkload(context, request.abandoned);
    if (workload === undefined) return { message: UNKNOWN_LOCAL_WORKLOAD };
    const decision = await decide(context, request, workload, destination.ip);
    if (decision.kind === "refuse") return decision;
    await serve(inbound, request, { workload, decision, client, local: destination });
    return "served";
  });
}

async function decide(
  context: PodContext,
  { authority, abandoned }: HboneRequest,
  workload: Workload,
  localIp: Ip,
): Promise<InboundDecision> {
  const { network, ports, onlyPort, localhostApplicationTunnel } = context.options;
  const asked = { workload, localIp, authority, network, ports, onlyPort, localhostApplicationTunnel };
  const lookup = {
    asker: askerOf(context),
    decide: (snapshot: MeshSnapshot) => decideInbound(snapshot, asked),
    namesOfHostname: (hostname: string) => namesOfMeantService(workload, hostname),
  };
  const found = await context.lookups.complete(lookup, abandoned);
  if (found.kind === "unknown") return { kind: "refuse", status: 503, message: found.message };
  return decideInbound(found.snapshot, asked);
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
  const { identity } = request.peer;
  const peerIp = isFromOtherNetwork(request, context) ? undefined : client.ip;
  await describeInbound(context, workload, peerIp, request.abandoned);
  const telemetry = openTelemetry(context, request, connection);
  const proxy = decision.proxyDestination && { destination: decision.proxyDestination, identity };
  const { address, keepSourceAddress } = decision;
  const toServe = {
    workload,
    transparent: inbound.transparent,
    identity,
    client,
    entry: entryOf(request, connection),
    target: { address, client, keepSourceAddress, proxy },
  };
  await serveInbound(context, toServe, Attempt.following(request.abandoned), telemetry, {
    accept: () => request.accept(responseHeaders(context, workload)),
    refuse: (flag) => request.refuse(flag === "DENY" ? 401 : 503),
  });
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
  const found = isFromOtherNetwork(request, context)
    ? undefined
    : findAddress(snapshot, network, client.ip, workload.namespace);
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

/** Through a gateway of another network the peer's address is the gateway's: then only its own words describe it. */
function isFromOtherNetwork({ headers }: HboneRequest, { options }: PodContext): boolean {
  const through = headerValues(headers, "x-forwarded-network")[0];
  return through !== undefined && through.toLowerCase() !== options.network.toLowerCase();
}

function addressOf(ipText: string, port: number): SocketAddress | undefined {
  const ip = parseIp(ipText);
  return ip === undefined ? undefined : { ip, port };
}
