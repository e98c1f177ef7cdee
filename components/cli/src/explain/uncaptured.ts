/** A client that is not in the mesh: nobody takes its connection where it begins, no waypoint sees it. Pure. */

import {
  formatSocketAddress,
  type MeshSnapshot,
  resolveTargetPort,
  type SocketAddress,
  serviceKey,
  type Workload,
} from "@meltemi/model";
import type { Destination } from "./destination.ts";
import type { Explanation, Hop } from "./explanation.ts";
import { judgeConnection } from "./l4-policies.ts";
import { type AskedZtunnel, answering, verdictWithout } from "./server-hop.ts";

export interface PlainEndpoint {
  readonly workload: Workload;
  readonly address: SocketAddress;
}

/** Where Kubernetes itself may send it. */
export function plainEndpoints(
  snapshot: MeshSnapshot,
  { service, address }: Destination,
  network: string,
): readonly PlainEndpoint[] {
  if (service === undefined) {
    const workload = snapshot.workloadsByAddress.get(`${network}/${address.ip}`)?.[0];
    return workload === undefined ? [] : [{ workload, address }];
  }
  const found: PlainEndpoint[] = [];
  snapshot.endpoints.get(serviceKey(service))?.forEach((workload) => {
    const ip = workload.addresses[0];
    const port = resolveTargetPort(service, workload, address.port, "standard");
    if (ip !== undefined && port !== undefined && workload.status === "healthy")
      found.push({ workload, address: { ip, port } });
  });
  return found;
}

export function explainUncaptured(
  source: Workload,
  destination: Destination,
  endpoint: PlainEndpoint | undefined,
  asked: AskedZtunnel,
  fallback: MeshSnapshot,
): Pick<Explanation, "hops" | "verdict"> {
  const sourceIp = source.addresses[0];
  if (endpoint === undefined || sourceIp === undefined)
    return {
      hops: [],
      verdict: { kind: "allowed", reason: "neither end is in the mesh: no policy of it applies" },
    };
  const { workload, address } = endpoint;
  const waypoint = destination.service?.waypoint ?? workload.waypoint;
  const steps = [
    `receives it in plaintext for ${formatSocketAddress(address)}`,
    ...(waypoint === undefined ? [] : ["its waypoint is not on this way: no L7 policy of it is enforced"]),
  ];
  const ztunnel = answering(asked);
  const snapshot = ztunnel?.snapshot ?? fallback;
  const known = snapshot.workloads.get(workload.uid) ?? workload;
  const place = {
    proxy: `${workload.name}.${workload.namespace}`,
    node: workload.node,
    policies: [],
    afterwards: [],
  };
  if (known.tunnelProtocol === "none") {
    const verdict = {
      kind: "unknown",
      reason: "neither end is in the mesh: no policy of it applies",
    } as const;
    return { hops: [{ ...place, role: "application", steps, verdict }], verdict };
  }
  const judged = judgeConnection(snapshot, known, { sourceIp, identity: undefined, destination: address });
  const without = known.nativeTunnel ? undefined : verdictWithout(asked, workload.node);
  const verdict = judged.verdict.kind === "denied" ? judged.verdict : (without ?? judged.verdict);
  const hop: Hop = {
    ...place,
    role: "server ztunnel",
    proxy: ztunnel?.name ?? "ztunnel",
    steps,
    peer: "nobody: no identity",
    ...judged,
    verdict,
  };
  return { hops: [hop], verdict };
}
