/** How connections come to know the part of the mesh that they are about: at once, when all of it is known. */

import type { MeshSnapshot, WorkloadName } from "@meltemi/model";
import type { MeshStore } from "@meltemi/proxy-process";
import type { NamesOfHostname } from "./traced-snapshot.ts";

export interface Lookup {
  /** Whose connection it is: names that are asked for are shared out among askers. */
  readonly asker: string;
  /** The decision to be made. Pure: it may be made many times. */
  readonly decide: (snapshot: MeshSnapshot) => unknown;
  readonly namesOfHostname?: NamesOfHostname;
}

export type LookedUp =
  /** By this snapshot the decision may be made: all that it looks at is known, or known not to exist. */
  | { readonly kind: "known"; readonly snapshot: MeshSnapshot }
  /** Nobody knows where the connection should go, and so it goes nowhere. */
  | { readonly kind: "unknown"; readonly message: string };

export interface Lookups {
  /** Never rejects, but with what `decide` throws. */
  complete(lookup: Lookup, signal?: AbortSignal): LookedUp | Promise<LookedUp>;
  /** Waits a little for names that only describe (metrics, logs). Never rejects. */
  describe(asker: string, names: readonly string[], signal?: AbortSignal): void | Promise<void>;
  /** Follows a pod that this proxy serves, until the returned function is called: what is not known of it would not be judged. */
  keepPod(pod: WorkloadName, clusterId: string): () => void;
}

/** For a proxy that is told the whole mesh. */
export function lookupsOfWholeMesh(mesh: Pick<MeshStore, "current">): Lookups {
  return {
    complete: () => ({ kind: "known", snapshot: mesh.current }),
    describe: () => undefined,
    keepPod: () => () => undefined,
  };
}
