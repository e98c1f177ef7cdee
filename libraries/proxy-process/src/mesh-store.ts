/** The mesh as a proxy knows it now. */

import {
  type AddressChange,
  applyAddressUpdates,
  applyPolicyUpdates,
  EMPTY_SNAPSHOT,
  type MeshSnapshot,
  type PolicyChange,
} from "@meltemi/model";
import type { Clock } from "@meltemi/runtime";
import { createSnapshotStore, type SnapshotStore } from "./snapshot-store.ts";

export interface MeshStore extends Pick<SnapshotStore<MeshSnapshot>, "current" | "onChange" | "waitFor"> {
  applyAddresses(changes: readonly AddressChange[]): void;
  applyPolicies(changes: readonly PolicyChange[]): void;
}

export function createMeshStore(deps: { readonly clock: Clock }): MeshStore {
  const store = createSnapshotStore(EMPTY_SNAPSHOT, deps);
  return {
    get current() {
      return store.current;
    },
    applyAddresses: (changes) => store.replace(applyAddressUpdates(store.current, changes)),
    applyPolicies: (changes) => store.replace(applyPolicyUpdates(store.current, changes)),
    onChange: store.onChange,
    waitFor: store.waitFor,
  };
}
