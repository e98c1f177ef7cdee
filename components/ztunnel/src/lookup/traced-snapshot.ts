/**
 * What a decision looked at. On demand the mesh is known in parts, and a part that is missing must not be taken for one that does
 * not exist; so a decision is made on a view that writes down every name that was looked up, found or not. It stands once the
 * control plane has answered for all of them. Decisions stay pure, and cannot forget a reference that they follow.
 */

import { cidrContains, type MeshSnapshot, parseIp, type ReadableMap } from "@meltemi/model";

interface Trace {
  /** Reads as the original. What cannot be asked for by name throws. */
  readonly snapshot: MeshSnapshot;
  /** Grows as the view is read: `network/ip`, `namespace/hostname` or a workload's uid, as control planes are asked (reference: protocol §3.1). */
  readonly names: ReadonlySet<string>;
}

/** A host name alone cannot be asked for: the services that it may mean to whoever decides, as `namespace/hostname`. */
export type NamesOfHostname = (hostname: string) => readonly string[];

/** Policies, which come all, and the local workloads by name are read as they are. */
export function traceSnapshot(snapshot: MeshSnapshot, namesOfHostname?: NamesOfHostname): Trace {
  const names = new Set<string>();
  const byKey = <V>(map: ReadableMap<V>): ReadableMap<V> =>
    observed(map, (key) => {
      names.add(key);
    });
  return {
    names,
    snapshot: {
      ...snapshot,
      workloads: byKey(snapshot.workloads),
      workloadsByAddress: byKey(snapshot.workloadsByAddress),
      workloadsByHostname: byKey(snapshot.workloadsByHostname),
      services: byKey(snapshot.services),
      // Networks are looked through for an address after its VIPs were: the name stands in the list.
      servicesByVip: byKey(snapshot.servicesByVip),
      endpoints: byKey(snapshot.endpoints),
      servicesByHostname: observed(snapshot.servicesByHostname, (hostname) => {
        if (namesOfHostname === undefined)
          throw new Error(`look up ${hostname}: expected a namespace too, which this decision does not know`);
        for (const name of namesOfHostname(hostname)) names.add(name);
      }),
    },
  };
}

/** Whether the snapshot has something that the name stands for. A service without endpoints does not count: they may have come since. */
export function isFound(snapshot: MeshSnapshot, name: string): boolean {
  if (snapshot.services.get(name) !== undefined) return (snapshot.endpoints.get(name)?.size ?? 0) > 0;
  return (
    snapshot.workloads.get(name) !== undefined ||
    snapshot.workloadsByAddress.get(name) !== undefined ||
    snapshot.servicesByVip.get(name) !== undefined ||
    snapshot.workloadsByHostname.get(name) !== undefined ||
    isInCidrOfService(snapshot, name)
  );
}

function isInCidrOfService(snapshot: MeshSnapshot, name: string): boolean {
  const slash = name.lastIndexOf("/");
  const entries = snapshot.servicesByCidr.get(name.slice(0, slash));
  const address = entries && parseIp(name.slice(slash + 1));
  return address !== undefined && entries?.some(({ cidr }) => cidrContains(cidr, address)) === true;
}

function observed<V>(map: ReadableMap<V>, look: (key: string) => void): ReadableMap<V> {
  const refuse = (): never => {
    throw new Error("list a part of the mesh: on demand it is never known whole");
  };
  return {
    get(key) {
      look(key);
      return map.get(key);
    },
    get size() {
      return refuse();
    },
    forEach: refuse,
  };
}
