/** What the ztunnel at the end decides on a connection, and what comes behind it. Pure. */

import {
  formatIdentity,
  formatSocketAddress,
  type Identity,
  type Ip,
  type MeshSnapshot,
  type OpenPath,
  parseSocketAddress,
  type SocketAddress,
} from "@meltemi/model";
import type { Hop, Verdict } from "./explanation.ts";
import { judgeConnection } from "./l4-policies.ts";

export interface ServerZtunnel {
  /** `<pod>.<namespace>`. */
  readonly name: string;
  readonly snapshot: MeshSnapshot;
}

/** `none`: no ztunnel runs on the node. `silent`: there is one, and it does not answer. Undefined: nothing is known of it. */
export type AskedZtunnel = ServerZtunnel | "none" | "silent" | undefined;

/** What that it is not there, or says nothing, means for a connection that would else be let pass. */
export function verdictWithout(ztunnel: AskedZtunnel, node: string): Verdict | undefined {
  if (ztunnel === "none")
    return {
      kind: "denied",
      reason: `fails: no ztunnel runs on ${node}, where the workload's connections are captured for it`,
    };
  if (ztunnel === "silent")
    return { kind: "unknown", reason: `the ztunnel of ${node} does not answer, and may take no connection` };
  return undefined;
}

export function answering(ztunnel: AskedZtunnel): ServerZtunnel | undefined {
  return typeof ztunnel === "object" ? ztunnel : undefined;
}

export interface Connecting {
  readonly ip: Ip;
  readonly identity: Identity;
}

/** The application's address at the end of a path that is open. */
export function applicationAddress(path: Extract<OpenPath, { kind: "hbone" | "tcp" }>): SocketAddress {
  return path.kind === "tcp" ? path.address : (parseSocketAddress(path.authority) ?? path.address);
}

/** `asked` is the ztunnel of the workload's node; when it could not be asked, the client's knowledge is used. */
export function explainServer(
  path: Extract<OpenPath, { kind: "hbone" | "tcp" }>,
  from: Connecting,
  asked: AskedZtunnel,
  fallback: MeshSnapshot,
): readonly Hop[] {
  const { workload } = path.target;
  if (workload === undefined) return [];
  const address = applicationAddress(path);
  const application: Hop = {
    role: "application",
    proxy: `${workload.name}.${workload.namespace}`,
    node: workload.node,
    steps: [`receives it on ${formatSocketAddress(address)}`],
    policies: [],
    verdict: { kind: "allowed", reason: "" },
    afterwards: [],
  };
  if (path.kind === "tcp") return [application];
  const ztunnel = answering(asked);
  const snapshot = ztunnel?.snapshot ?? fallback;
  const known = snapshot.workloads.get(workload.uid);
  const judged =
    known === undefined
      ? {
          policies: [],
          verdict: {
            kind: "denied",
            reason: `workload ${workload.uid} is no longer known`,
          } satisfies Verdict,
        }
      : judgeConnection(snapshot, known, {
          sourceIp: from.ip,
          identity: from.identity,
          destination: address,
        });
  const without = workload.nativeTunnel ? undefined : verdictWithout(asked, workload.node);
  const verdict = judged.verdict.kind === "denied" ? judged.verdict : (without ?? judged.verdict);
  const hop: Hop = {
    role: "server ztunnel",
    proxy: ztunnel?.name ?? "ztunnel",
    node: workload.node,
    peer: formatIdentity(from.identity),
    steps: [
      ...(ztunnel === undefined ? ["could not be asked: judged by what the client's ztunnel knows"] : []),
      ...(workload.nativeTunnel ? ["the workload ends the tunnel itself (sidecar)"] : []),
    ],
    ...judged,
    verdict,
    afterwards: [],
  };
  return verdict.kind === "allowed" ? [hop, application] : [hop];
}
