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

export interface Connecting {
  readonly ip: Ip;
  readonly identity: Identity;
}

/** The application's address at the end of a path that is open. */
export function applicationAddress(path: Extract<OpenPath, { kind: "hbone" | "tcp" }>): SocketAddress {
  return path.kind === "tcp" ? path.address : (parseSocketAddress(path.authority) ?? path.address);
}

/** `ztunnel` is that of the workload's node; undefined: it could not be asked, and the client's knowledge is used. */
export function explainServer(
  path: Extract<OpenPath, { kind: "hbone" | "tcp" }>,
  from: Connecting,
  ztunnel: ServerZtunnel | undefined,
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
    afterwards: [],
  };
  return judged.verdict.kind === "denied" ? [hop] : [hop, application];
}
