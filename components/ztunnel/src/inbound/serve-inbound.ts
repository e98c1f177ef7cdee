/** What plaintext and HBONE connections to the pod have in common: judged, connected to the application, carried. */

import { type ByteChannel, tcpChannel } from "@meltemi/l4";
import type { Identity, SocketAddress, Workload } from "@meltemi/model";
import type { ConnectionEntry } from "../pods/connection-table.ts";
import type { PodContext } from "../pods/pod-context.ts";
import type { Attempt } from "../sockets/attempt.ts";
import { carry } from "../sockets/carry.ts";
import type { OpenConnection } from "../telemetry/connection-telemetry.ts";
import { type ApplicationTarget, connectApplication } from "./connect-application.ts";

export interface InboundConnection {
  readonly workload: Workload;
  /** Whether the kernel grants transparent sockets in the pod's namespace. */
  readonly transparent: boolean;
  /** Absent in plaintext. */
  readonly identity?: Identity;
  readonly client: SocketAddress;
  readonly entry: ConnectionEntry;
  readonly target: ApplicationTarget;
}

/** The peer's side, not answered yet. One of both is called, once. */
export interface InboundPeer {
  /** The application is there: the peer is told, and its bytes are carried. */
  accept(): ByteChannel;
  refuse(flag: "DENY" | "CONNECT"): void;
}

/** Resolves at the connection's end. Rejects with whatever {@link InboundPeer.accept} throws. */
export async function serveInbound(
  context: PodContext,
  connection: InboundConnection,
  attempt: Attempt,
  telemetry: OpenConnection,
  peer: InboundPeer,
): Promise<void> {
  const { workload, target } = connection;
  const l4 = {
    sourceIp: connection.client.ip,
    destination: target.address,
    ...(connection.identity && { identity: connection.identity }),
  };
  // Registered before it is judged: a policy that changes meanwhile finds it.
  const forget = context.live.register({
    workloadUid: workload.uid,
    connection: l4,
    cut: () => attempt.cut("policy"),
  });
  const remove = context.connections.add("inbound", connection.entry, () => attempt.cut("drain"));
  const fail = (flag: "DENY" | "CONNECT", why: string): void => {
    peer.refuse(flag);
    telemetry.finish(flag, why);
  };
  try {
    const verdict = await context.authorizer.authorize(workload.uid, l4, attempt.signal);
    if (verdict.kind === "deny") return fail("DENY", verdict.message);
    if (attempt.cutBecause !== undefined) return fail("DENY", attempt.cutBecause);
    const application = await connectApplication(context, connection.transparent, target, attempt.signal);
    attempt.settle();
    if (application.kind === "failed") return fail("CONNECT", application.error);
    const onInternalError = (error: unknown): void => context.reportInternalError("connection", error);
    const ends = { downstream: peer.accept(), upstream: tcpChannel(application.socket, onInternalError) };
    await carry(context.relays, ends, attempt, telemetry);
  } finally {
    forget();
    remove();
  }
}
