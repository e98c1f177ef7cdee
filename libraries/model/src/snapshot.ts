/**
 * The mesh as one immutable view with indexes. A connection takes the current snapshot once and decides by it from
 * start to end; an update makes a new snapshot that shares all it did not touch, and replaces the old one in one
 * assignment. Nobody can see half a batch (reference: protocol §3.1, §3.2).
 */

import type { Cidr } from "./address.ts";
import { type MapDraft, PersistentMap, type ReadableMap } from "./persistent-map.ts";
import { type Policy, policyKey } from "./policy.ts";
import { networkAddressKey, type Service, serviceKey, type Workload } from "./workload.ts";

interface CidrService {
  readonly cidr: Cidr;
  readonly service: Service;
}

export interface MeshSnapshot {
  /** By uid. */
  readonly workloads: ReadableMap<Workload>;
  /** By `network/ip`; who answers for the address comes first. Host-network workloads are not here. */
  readonly workloadsByAddress: ReadableMap<readonly Workload[]>;
  /** By `namespace/name`. */
  readonly workloadsByName: ReadableMap<readonly Workload[]>;
  /** By `namespace/hostname`, for workloads that are reached by a host name. */
  readonly workloadsByHostname: ReadableMap<readonly Workload[]>;
  /** By `namespace/hostname`. */
  readonly services: ReadableMap<Service>;
  /** By host name alone, in order of arrival. */
  readonly servicesByHostname: ReadableMap<readonly Service[]>;
  /** By `network/ip` of a VIP, in order of arrival. */
  readonly servicesByVip: ReadableMap<readonly Service[]>;
  /** By network. */
  readonly servicesByCidr: ReadableMap<readonly CidrService[]>;
  /**
   * By service key, then by workload uid: everything that says it backs the service, healthy or not, and also
   * while the service itself is not known yet ("staged").
   */
  readonly endpoints: ReadableMap<ReadableMap<Workload>>;
  /** By `namespace/name`. */
  readonly policies: ReadableMap<Policy>;
  readonly policiesByNamespace: ReadableMap<readonly Policy[]>;
  readonly globalPolicies: readonly Policy[];
}

/** A change of one Address resource. `remove` carries the resource name: a workload's uid or `namespace/hostname`. */
export type AddressChange =
  | { readonly kind: "workload"; readonly workload: Workload }
  | { readonly kind: "service"; readonly service: Service }
  | { readonly kind: "remove"; readonly name: string };

export type PolicyChange =
  | { readonly kind: "policy"; readonly policy: Policy }
  | { readonly kind: "remove"; readonly name: string };

/** The same indexes, as the persistent maps that they are. */
interface Indexes extends MeshSnapshot {
  readonly workloads: PersistentMap<Workload>;
  readonly workloadsByAddress: PersistentMap<readonly Workload[]>;
  readonly workloadsByName: PersistentMap<readonly Workload[]>;
  readonly workloadsByHostname: PersistentMap<readonly Workload[]>;
  readonly services: PersistentMap<Service>;
  readonly servicesByHostname: PersistentMap<readonly Service[]>;
  readonly servicesByVip: PersistentMap<readonly Service[]>;
  readonly servicesByCidr: PersistentMap<readonly CidrService[]>;
  readonly endpoints: PersistentMap<PersistentMap<Workload>>;
  readonly policies: PersistentMap<Policy>;
  readonly policiesByNamespace: PersistentMap<readonly Policy[]>;
}

const EMPTY: Indexes = {
  workloads: PersistentMap.empty(),
  workloadsByAddress: PersistentMap.empty(),
  workloadsByName: PersistentMap.empty(),
  workloadsByHostname: PersistentMap.empty(),
  services: PersistentMap.empty(),
  servicesByHostname: PersistentMap.empty(),
  servicesByVip: PersistentMap.empty(),
  servicesByCidr: PersistentMap.empty(),
  endpoints: PersistentMap.empty(),
  policies: PersistentMap.empty(),
  policiesByNamespace: PersistentMap.empty(),
  globalPolicies: [],
};

/** The snapshot of a mesh of which nothing is known yet; every snapshot grows from this one. */
export const EMPTY_SNAPSHOT: MeshSnapshot = EMPTY;

/** A new snapshot with the changes applied in order. One change costs a few small copies, whatever the mesh's size. */
export function applyAddressUpdates(snapshot: MeshSnapshot, changes: readonly AddressChange[]): MeshSnapshot {
  const base = snapshot as Indexes;
  const update = new AddressUpdate(base);
  for (const change of changes) update.apply(change);
  return update.finish(base);
}

/** A new snapshot with the policy changes applied in order. */
export function applyPolicyUpdates(snapshot: MeshSnapshot, changes: readonly PolicyChange[]): MeshSnapshot {
  const base = snapshot as Indexes;
  const policies = base.policies.draft();
  const byNamespace = base.policiesByNamespace.draft();
  let globalPolicies = base.globalPolicies;
  for (const change of changes) {
    const key = change.kind === "policy" ? policyKey(change.policy) : change.name;
    const old = policies.get(key);
    if (old?.scope === "global") globalPolicies = globalPolicies.filter((policy) => policy !== old);
    if (old?.scope === "namespace") removeFrom(byNamespace, old.namespace, old);
    if (change.kind === "remove") {
      policies.delete(key);
      continue;
    }
    policies.set(key, change.policy);
    if (change.policy.scope === "global") globalPolicies = [...globalPolicies, change.policy];
    if (change.policy.scope === "namespace")
      byNamespace.set(change.policy.namespace, [
        ...(byNamespace.get(change.policy.namespace) ?? []),
        change.policy,
      ]);
  }
  const next: Indexes = {
    ...base,
    policies: policies.finish(),
    policiesByNamespace: byNamespace.finish(),
    globalPolicies,
  };
  return next;
}

/** Changes of one batch over drafts of the indexes. */
class AddressUpdate {
  readonly #workloads: MapDraft<Workload>;
  readonly #byAddress: MapDraft<readonly Workload[]>;
  readonly #byName: MapDraft<readonly Workload[]>;
  readonly #byHostname: MapDraft<readonly Workload[]>;
  readonly #services: MapDraft<Service>;
  readonly #servicesByHostname: MapDraft<readonly Service[]>;
  readonly #servicesByVip: MapDraft<readonly Service[]>;
  readonly #servicesByCidr: MapDraft<readonly CidrService[]>;
  readonly #endpoints: MapDraft<PersistentMap<Workload>>;
  /** Drafts of the endpoint sets that this batch touched: a service of 10 000 endpoints is opened once. */
  readonly #endpointDrafts = new Map<string, MapDraft<Workload>>();

  constructor(base: Indexes) {
    this.#workloads = base.workloads.draft();
    this.#byAddress = base.workloadsByAddress.draft();
    this.#byName = base.workloadsByName.draft();
    this.#byHostname = base.workloadsByHostname.draft();
    this.#services = base.services.draft();
    this.#servicesByHostname = base.servicesByHostname.draft();
    this.#servicesByVip = base.servicesByVip.draft();
    this.#servicesByCidr = base.servicesByCidr.draft();
    this.#endpoints = base.endpoints.draft();
  }

  apply(change: AddressChange): void {
    if (change.kind === "workload") {
      this.#removeWorkload(change.workload.uid);
      this.#addWorkload(change.workload);
    } else if (change.kind === "service") {
      this.#putService(change.service);
    } else if (this.#workloads.get(change.name) !== undefined) {
      this.#removeWorkload(change.name);
    } else {
      this.#removeService(change.name);
    }
  }

  finish(base: Indexes): Indexes {
    for (const [key, draft] of this.#endpointDrafts) {
      const endpoints = draft.finish();
      if (endpoints.size === 0) this.#endpoints.delete(key);
      else this.#endpoints.set(key, endpoints);
    }
    return {
      ...base,
      workloads: this.#workloads.finish(),
      workloadsByAddress: this.#byAddress.finish(),
      workloadsByName: this.#byName.finish(),
      workloadsByHostname: this.#byHostname.finish(),
      services: this.#services.finish(),
      servicesByHostname: this.#servicesByHostname.finish(),
      servicesByVip: this.#servicesByVip.finish(),
      servicesByCidr: this.#servicesByCidr.finish(),
      endpoints: this.#endpoints.finish(),
    };
  }

  #addWorkload(workload: Workload): void {
    this.#workloads.set(workload.uid, workload);
    for (const key of addressKeys(workload))
      this.#byAddress.set(key, insertByRank(this.#byAddress.get(key) ?? [], workload));
    append(this.#byName, nameKey(workload), workload);
    if (workload.hostname !== "") append(this.#byHostname, hostnameKey(workload), workload);
    for (const key of workload.services.keys()) this.#endpointsOf(key).set(workload.uid, workload);
  }

  #removeWorkload(uid: string): void {
    const old = this.#workloads.get(uid);
    if (old === undefined) return;
    this.#workloads.delete(uid);
    for (const key of addressKeys(old)) removeFrom(this.#byAddress, key, old);
    removeFrom(this.#byName, nameKey(old), old);
    if (old.hostname !== "") removeFrom(this.#byHostname, hostnameKey(old), old);
    for (const key of old.services.keys()) this.#endpointsOf(key).delete(uid);
  }

  /** A service that is replaced keeps its place in every list that it stays in. */
  #putService(service: Service): void {
    const key = serviceKey(service);
    const old = this.#services.get(key);
    if (old !== undefined) this.#forgetVips(old, service);
    this.#services.set(key, service);
    replaceOrAppend(this.#servicesByHostname, service.hostname, old, service);
    for (const vip of service.vips)
      replaceOrAppend(this.#servicesByVip, networkAddressKey(vip.network, vip.ip), old, service);
    for (const { network, cidr } of service.cidrVips)
      append(this.#servicesByCidr, network, { cidr, service });
  }

  #removeService(key: string): void {
    const old = this.#services.get(key);
    if (old === undefined) return;
    this.#services.delete(key);
    removeFrom(this.#servicesByHostname, old.hostname, old);
    this.#forgetVips(old, undefined);
  }

  /** Takes `old` out of the VIP lists that its successor does not stand in. */
  #forgetVips(old: Service, successor: Service | undefined): void {
    const kept = new Set(successor?.vips.map((vip) => networkAddressKey(vip.network, vip.ip)));
    for (const vip of old.vips) {
      const key = networkAddressKey(vip.network, vip.ip);
      if (!kept.has(key)) removeFrom(this.#servicesByVip, key, old);
    }
    for (const { network } of old.cidrVips) {
      const left = (this.#servicesByCidr.get(network) ?? []).filter((entry) => entry.service !== old);
      if (left.length === 0) this.#servicesByCidr.delete(network);
      else this.#servicesByCidr.set(network, left);
    }
  }

  #endpointsOf(key: string): MapDraft<Workload> {
    let draft = this.#endpointDrafts.get(key);
    if (draft === undefined) {
      draft = (this.#endpoints.get(key) ?? PersistentMap.empty<Workload>()).draft();
      this.#endpointDrafts.set(key, draft);
    }
    return draft;
  }
}

function addressKeys(workload: Workload): string[] {
  if (workload.networkMode === "hostNetwork") return [];
  return workload.addresses.map((address) => networkAddressKey(workload.network, address));
}

function nameKey(workload: Workload): string {
  return `${workload.namespace}/${workload.name}`;
}

function hostnameKey(workload: Workload): string {
  return `${workload.namespace}/${workload.hostname}`;
}

/** Who answers for an address that several workloads claim: captured pods before pods before the rest. */
function addressRank(workload: Workload): number {
  const captured = workload.tunnelProtocol === "hbone";
  if (workload.uid.includes("//Pod/")) return captured ? 3 : 2;
  return captured ? 1 : 0;
}

/** Among equals the newest comes first: it is the pod that the address was given to last. */
function insertByRank(workloads: readonly Workload[], workload: Workload): readonly Workload[] {
  const rank = addressRank(workload);
  const at = workloads.findIndex((other) => addressRank(other) <= rank);
  return at < 0 ? [...workloads, workload] : workloads.toSpliced(at, 0, workload);
}

function append<T>(lists: MapDraft<readonly T[]>, key: string, item: T): void {
  lists.set(key, [...(lists.get(key) ?? []), item]);
}

function replaceOrAppend<T>(lists: MapDraft<readonly T[]>, key: string, old: T | undefined, item: T): void {
  const list = lists.get(key) ?? [];
  const at = old === undefined ? -1 : list.indexOf(old);
  // The service may name one VIP twice; it stands in the list once.
  if (at < 0 && list.includes(item)) return;
  lists.set(key, at < 0 ? [...list, item] : list.with(at, item));
}

function removeFrom<T>(lists: MapDraft<readonly T[]>, key: string, item: T): void {
  const left = (lists.get(key) ?? []).filter((other) => other !== item);
  if (left.length === 0) lists.delete(key);
  else lists.set(key, left);
}
