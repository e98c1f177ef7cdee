/** Which names a proxy on demand stops to follow, and what of the mesh nobody needs then. Pure. */

import {
  cidrContains,
  type MeshSnapshot,
  networkAddressKey,
  parseIp,
  type Service,
  serviceKey,
  type Workload,
} from "@meltemi/model";

export interface NameUse {
  /** For whom it was asked first. */
  readonly asker: string;
  readonly usedMs: number;
  /** Somebody waits for it or relies on it. */
  readonly isPinned: boolean;
}

interface NameLimits {
  readonly maxNames: number;
  /** Of one asker: a pod that scans addresses forgets its own first. */
  readonly maxNamesPerAsker: number;
  readonly idleMs: number;
}

/** Of what is too much a part beyond the limit leaves too, so that the next name does not begin it all again. */
const KEPT_SHARE = 0.75;

/** `uses`: the longest unused first. */
export function chooseLeaving(
  uses: ReadonlyMap<string, NameUse>,
  nowMs: number,
  limits: NameLimits,
): readonly string[] {
  const leaving: string[] = [];
  const counts = new Map<string, number>();
  for (const { asker } of uses.values()) counts.set(asker, (counts.get(asker) ?? 0) + 1);
  const crowded = new Set<string>();
  for (const [asker, count] of counts) if (count >= limits.maxNamesPerAsker) crowded.add(asker);
  const isFull = uses.size >= limits.maxNames;
  for (const [name, { asker, usedMs, isPinned }] of uses) {
    if (isPinned) continue;
    const count = counts.get(asker) ?? 0;
    const left = uses.size - leaving.length;
    const leaves =
      nowMs - usedMs >= limits.idleMs ||
      (crowded.has(asker) && count > limits.maxNamesPerAsker * KEPT_SHARE) ||
      (isFull && left > limits.maxNames * KEPT_SHARE);
    if (!leaves) continue;
    leaving.push(name);
    counts.set(asker, count - 1);
  }
  return leaving;
}

interface Need {
  /** Names that are followed from now on. */
  readonly names: ReadonlySet<string> | ReadonlyMap<string, unknown>;
  /** Whose pods come unasked and are always needed: policy is judged by them. Empty: not known. */
  readonly node: string;
  /** Of workloads that are served here, `namespace/name`. */
  readonly served: { has(name: string): boolean };
}

/** Names of the resources that no followed name stands for (a workload: its uid; a service: `namespace/hostname`). */
export function unneededResources(snapshot: MeshSnapshot, need: Need): readonly string[] {
  const unneeded: string[] = [];
  snapshot.services.forEach((service, name) => {
    if (!needsService(need, service)) unneeded.push(name);
  });
  snapshot.workloads.forEach((workload, uid) => {
    if (!needsWorkload(need, workload)) unneeded.push(uid);
  });
  return unneeded;
}

function needsService({ names }: Need, service: Service): boolean {
  if (names.has(serviceKey(service))) return true;
  if (service.vips.some(({ network, ip }) => names.has(networkAddressKey(network, ip)))) return true;
  return service.cidrVips.length > 0 && [...names.keys()].some((name) => isInCidrOf(service, name));
}

function isInCidrOf({ cidrVips }: Service, name: string): boolean {
  const slash = name.lastIndexOf("/");
  const network = name.slice(0, slash);
  const address = parseIp(name.slice(slash + 1));
  return (
    address !== undefined &&
    cidrVips.some((vip) => vip.network === network && cidrContains(vip.cidr, address))
  );
}

function needsWorkload({ names, node, served }: Need, workload: Workload): boolean {
  const { uid, network, addresses, hostname, namespace, services } = workload;
  return (
    (node !== "" && workload.node === node) ||
    served.has(`${namespace}/${workload.name}`) ||
    names.has(uid) ||
    addresses.some((address) => names.has(networkAddressKey(network, address))) ||
    (hostname !== "" && names.has(serviceKey({ namespace, hostname }))) ||
    [...services.keys()].some((key) => names.has(key))
  );
}
