/** From a client's CONNECT request to a channel that is served (reference: l7-and-cli §1.10 items 1 and 2). */

import { encodeBaggage, type HboneRequest } from "@meltemi/hbone";
import type { ClientConnectionFacts, PortServer, PortSite } from "@meltemi/l7";
import { formatIdentity, formatSocketAddress } from "@meltemi/model";
import type { SnapshotStore } from "@meltemi/proxy-process";
import type { Logger, RefusalLog } from "@meltemi/runtime";
import type { Counter, Family } from "@meltemi/telemetry";
import type { SiteBook } from "../sites/site-book.ts";
import { type Self, selfWorkload } from "../world/self.ts";
import type { WaypointWorld } from "../world/world.ts";
import { callerOf } from "./caller.ts";
import { decideInbound, type InboundDecision } from "./decide-inbound.ts";
import { peerAddress } from "./peer-address.ts";

export interface TunnelDeps {
  readonly world: SnapshotStore<WaypointWorld>;
  readonly self: Self;
  readonly sites: Pick<SiteBook, "service" | "workload">;
  readonly server: Pick<PortServer, "serve">;
  readonly logger: Logger;
  /** By status. */
  readonly refusals: Family<"status", Counter>;
  readonly refusalLog: RefusalLog;
  /** Tunnels that wait for configuration now. */
  waiting: number;
}

/**
 * A client is told of its service's waypoint at the same time as the waypoint is told of the service: what it does not know yet may
 * come within this time. Longer would only hold back clients that are wrong.
 */
const LATE_CONFIGURATION_MS = 1000;
/** Each that waits looks at every change of the configuration. */
const MAX_WAITING = 1000;

type Accepted = Exclude<InboundDecision, { readonly kind: "refuse" }>;

/** Answers the request. Rejections are errors of this program. */
export async function acceptTunnel(request: HboneRequest, deps: TunnelDeps): Promise<void> {
  const { world, self } = deps;
  const { identity } = request.peer;
  const asked = { authority: request.authority, clientNamespace: identity.namespace };
  const decide = (now: WaypointWorld): InboundDecision => decideInbound(now, self, asked);
  let decision = decide(world.current);
  if (decision.kind === "refuse" && decision.mayChange && deps.waiting < MAX_WAITING) {
    deps.waiting++;
    try {
      const ready = (now: WaypointWorld): Accepted | undefined => accepted(decide(now));
      decision = (await world.waitFor(ready, LATE_CONFIGURATION_MS, request.abandoned)) ?? decision;
    } finally {
      deps.waiting--;
    }
  }
  if (decision.kind === "refuse") refuse(request, decision, deps);
  else serve(request, decision, deps);
}

function accepted(decision: InboundDecision): Accepted | undefined {
  return decision.kind === "refuse" ? undefined : decision;
}

function refuse(
  request: HboneRequest,
  { status, message }: Extract<InboundDecision, { readonly kind: "refuse" }>,
  { logger, refusals, refusalLog }: TunnelDeps,
): void {
  const { identity } = request.peer;
  refusals.labels({ status: String(status) }).inc();
  const place = refusalLog.admit();
  if (place.kind === "write")
    logger.warn("tunnel refused", {
      "src.addr": peerAddress(request.peer),
      "src.identity": formatIdentity(identity),
      status,
      error: message,
      suppressed: place.suppressed || undefined,
    });
  request.refuse(status);
}

function serve(request: HboneRequest, decision: Accepted, deps: TunnelDeps): void {
  const { self, sites, server } = deps;
  const world = deps.world.current;
  const { destination } = decision;
  const facts: ClientConnectionFacts = {
    caller: callerOf(world, self.place.network, request),
    destination,
    serverName: undefined,
  };
  const site = (): PortSite | undefined =>
    decision.kind === "service" ? sites.service(decision.key, destination.port) : sites.workload();
  if (site() === undefined) {
    const message = `${formatSocketAddress(destination)} is not served yet`;
    refuse(request, { kind: "refuse", status: 503, message, mayChange: false }, deps);
    return;
  }
  const channel = request.accept([["baggage", encodeBaggage(selfWorkload(world, self))]]);
  server.serve(channel, facts, site);
}
