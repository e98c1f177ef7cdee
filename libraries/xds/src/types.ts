/** The two kinds of resources that the mesh exchanges over delta xDS, and their names on the wire (reference: protocol §3.1). */

import type { Policy, Service, Workload } from "@meltemi/model";

export const ADDRESS_TYPE_URL = "type.googleapis.com/istio.workload.Address";
export const AUTHORIZATION_TYPE_URL = "type.googleapis.com/istio.security.Authorization";

export type XdsTypeUrl = typeof ADDRESS_TYPE_URL | typeof AUTHORIZATION_TYPE_URL;

/** What one Address resource holds. */
export type Address =
  | { readonly kind: "workload"; readonly workload: Workload }
  | { readonly kind: "service"; readonly service: Service };

/** A resource with its name on the wire: a workload uid, `namespace/hostname`, or a policy's `namespace/name`. */
export interface Named<T> {
  readonly name: string;
  readonly value: T;
}

/** All changes of one response, to be applied together: readers see none of them or all. */
export type XdsUpdate =
  | {
      readonly kind: "address";
      readonly upserts: readonly Named<Address>[];
      /** A workload uid, `namespace/hostname`, or an on-demand name that stands for nothing. */
      readonly removedNames: readonly string[];
    }
  | {
      readonly kind: "authorization";
      readonly upserts: readonly Named<Policy>[];
      readonly removedNames: readonly string[];
    };

/** A resource that was not applied; named in the NACK, and asked for again after a reconnect. */
export interface RejectedResource {
  readonly name: string;
  readonly reason: string;
}
