/** Writes addresses into the status of ServiceEntries that name none (Istio's IP auto-allocation). Only the leader runs it. */

import {
  apiVersionOf,
  type CustomObject,
  createWorkQueue,
  type Informer,
  isNotFound,
  type KubernetesClient,
  keyOf,
  nameOf,
  namespaceOf,
  SERVICE_ENTRIES,
} from "@meltemi/kubernetes";
import type { Ip } from "@meltemi/model";
import type { Clock, Logger } from "@meltemi/runtime";
import type { ServiceEntryFacts } from "../compile/facts.ts";
import { type Allocated, decideAddresses, hostsInNeed } from "./decide-addresses.ts";

export interface AddressAllocatorDependencies {
  readonly client: Pick<KubernetesClient, "apply">;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly entries: { get(key: string): ServiceEntryFacts | undefined };
  readonly watch: Pick<Informer<CustomObject>, "get" | "onChange">;
}

/** Istio's own, so that a control plane that takes over finds its field. */
const FIELD_MANAGER = "ip-autoallocate";

export function startAddressAllocator(deps: AddressAllocatorDependencies): { stop(): Promise<void> } {
  const owners = createOwners();
  const queue = createWorkQueue(
    { name: "address-allocation" },
    { ...deps, reconcile: (key, signal) => allocate(key, signal, owners, deps) },
  );
  const known = (object: CustomObject): void => {
    const key = keyOf(object);
    // Before the first is allocated, all that others have is known: what there is is replayed at once.
    owners.claim(key, deps.entries.get(key)?.allocatedAddresses ?? []);
    queue.add(key);
  };
  const unsubscribe = deps.watch.onChange({
    add: known,
    update: (_previous, object) => known(object),
    delete: (object) => owners.release(keyOf(object)),
  });
  return {
    async stop() {
      unsubscribe();
      await queue.stop();
    },
  };
}

interface Owners {
  /** Who claims first has it. */
  claim(key: string, addresses: readonly Allocated[]): void;
  /** These and no others are the entry's. */
  assign(key: string, addresses: readonly Allocated[]): void;
  release(key: string): void;
  isFree(key: string, ip: Ip, host: string): boolean;
}

function createOwners(): Owners {
  const owners = new Map<Ip, string>();
  const held = new Map<string, Set<Ip>>();
  const ownerOf = (key: string, host: string): string => `${key}/${host}`;
  const release = (key: string): void => {
    for (const ip of held.get(key) ?? []) owners.delete(ip);
    held.delete(key);
  };
  const claim = (key: string, addresses: readonly Allocated[]): void => {
    const mine = held.get(key) ?? new Set();
    held.set(key, mine);
    for (const { host, ip } of addresses) {
      if (owners.has(ip)) continue;
      owners.set(ip, ownerOf(key, host));
      mine.add(ip);
    }
  };
  return {
    claim,
    release,
    assign(key, addresses) {
      release(key);
      claim(key, addresses);
    },
    isFree(key, ip, host) {
      const owner = owners.get(ip);
      return owner === undefined || owner === ownerOf(key, host);
    },
  };
}

async function allocate(
  key: string,
  signal: AbortSignal,
  owners: Owners,
  { entries, watch, client, log }: AddressAllocatorDependencies,
): Promise<void> {
  const entry = entries.get(key);
  const object = watch.get(key);
  if (entry === undefined || object === undefined) return;
  const decided = decideAddresses(key, entry, (ip, host) => owners.isFree(key, ip, host));
  const without = hostsInNeed(entry).filter(
    (host) => !(decided ?? entry.allocatedAddresses).some((each) => each.host === host),
  );
  if (without.length > 0)
    log.warn("no address is left to allocate", { entry: key, hosts: without.slice(0, 5).join(" ") });
  if (decided === undefined) return;
  owners.assign(key, decided);
  await writeStatus(object, decided, signal, client);
}

async function writeStatus(
  object: CustomObject,
  decided: readonly Allocated[],
  signal: AbortSignal,
  client: AddressAllocatorDependencies["client"],
): Promise<void> {
  const addresses = decided.map(({ host, ip }) => ({ value: ip, host }));
  const applied: CustomObject = {
    apiVersion: apiVersionOf(SERVICE_ENTRIES),
    kind: SERVICE_ENTRIES.kind,
    metadata: { name: nameOf(object), namespace: namespaceOf(object) },
    status: addresses.length > 0 ? { addresses } : {},
  };
  try {
    await client.apply(SERVICE_ENTRIES, applied, {
      fieldManager: FIELD_MANAGER,
      force: true,
      subresource: "status",
      signal,
    });
  } catch (error) {
    // Deleted meanwhile.
    if (!isNotFound(error)) throw error;
  }
}
