/** A proxy's `/config_dump` as the snapshot that it was made from: what the proxy decides can be decided again, elsewhere. */

import { applyAddressUpdates, applyPolicyUpdates, EMPTY_SNAPSHOT, type MeshSnapshot } from "../snapshot.ts";
import { type Port, serviceKey, type Workload } from "../workload.ts";
import { readPorts, readService, readWorkload } from "./read-mesh.ts";
import { readPolicy } from "./read-policy.ts";
import { Shape } from "./shape.ts";

export interface ReadDump {
  readonly snapshot: MeshSnapshot;
  /** What could not be read, each with its path; the rest is in the snapshot. */
  readonly problems: readonly string[];
}

/** By uid, then by service key: which ports a workload has at its services. */
type PortsByWorkload = Map<string, Map<string, readonly Port[]>>;

/** `dump` is parsed JSON, of ours or of Istio's ztunnel. Protocols of ports are not in dumps: they read as unknown. */
export function readDump(dump: unknown): ReadDump {
  const problems: string[] = [];
  const root = new Shape(dump, "", problems, "ignore");
  const ports: PortsByWorkload = new Map();
  const services = root.list("services").map((shape) => {
    const service = readService(shape);
    notePorts(ports, serviceKey(service), shape.entries("endpoints"));
    return service;
  });
  for (const [key, staged] of root.entries("stagedServices")) notePorts(ports, key, staged.members());
  const workloads = root.list("workloads").map((shape): Workload => {
    const uid = shape.text("uid", "");
    return readWorkload(shape, ports.get(uid) ?? new Map());
  });
  const policies = root.list("policies").map(readPolicy);
  const addressed = applyAddressUpdates(EMPTY_SNAPSHOT, [
    ...workloads.map((workload) => ({ kind: "workload", workload }) as const),
    ...services.map((service) => ({ kind: "service", service }) as const),
  ]);
  return {
    snapshot: applyPolicyUpdates(
      addressed,
      policies.map((policy) => ({ kind: "policy", policy }) as const),
    ),
    problems,
  };
}

function notePorts(
  ports: PortsByWorkload,
  key: string,
  endpoints: readonly (readonly [string, Shape])[],
): void {
  for (const [uid, endpoint] of endpoints) {
    const of = ports.get(uid) ?? new Map<string, readonly Port[]>();
    of.set(key, endpoint.optional("port", readPorts) ?? []);
    ports.set(uid, of);
  }
}
