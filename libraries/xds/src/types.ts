/** The kinds of resources that the mesh exchanges over delta xDS, and their names on the wire (reference: protocol §3.1). */

import type { Policy, Service, Workload } from "@meltemi/model";
import type { ServedService, WaypointSettings } from "@meltemi/model/l7";

export const ADDRESS_TYPE_URL = "type.googleapis.com/istio.workload.Address";
export const AUTHORIZATION_TYPE_URL = "type.googleapis.com/istio.security.Authorization";
/** Ours, for waypoints alone. */
export const SERVED_SERVICE_TYPE_URL = "type.googleapis.com/meltemi.waypoint.v1.ServedService";
export const WAYPOINT_SETTINGS_TYPE_URL = "type.googleapis.com/meltemi.waypoint.v1.WaypointSettings";
export const WORKLOAD_LABELS_TYPE_URL = "type.googleapis.com/meltemi.workload.v1.WorkloadLabels";

export type XdsTypeUrl =
  | typeof ADDRESS_TYPE_URL
  | typeof AUTHORIZATION_TYPE_URL
  | typeof SERVED_SERVICE_TYPE_URL
  | typeof WAYPOINT_SETTINGS_TYPE_URL
  | typeof WORKLOAD_LABELS_TYPE_URL;

/** What one Address resource holds. */
export type Address =
  | { readonly kind: "workload"; readonly workload: Workload }
  | { readonly kind: "service"; readonly service: Service };

/** A resource with its name on the wire: a workload uid, `namespace/hostname`, or a policy's `namespace/name`. */
export interface Named<T> {
  readonly name: string;
  readonly value: T;
}

/** Labels of a workload, which Address does not carry. */
export interface WorkloadLabels {
  readonly uid: string;
  readonly labels: ReadonlyMap<string, string>;
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

/** What a waypoint hears. */
export type WaypointXdsUpdate =
  | XdsUpdate
  /** Services that are bound to it, by `namespace/hostname`. */
  | {
      readonly kind: "servedService";
      readonly upserts: readonly Named<ServedService>[];
      readonly removedNames: readonly string[];
    }
  /** Exactly one, by `namespace/name` of its Gateway. Removed: the Gateway is gone. */
  | {
      readonly kind: "waypointSettings";
      readonly upserts: readonly Named<WaypointSettings>[];
      readonly removedNames: readonly string[];
    }
  /** Of all workloads, by uid. */
  | {
      readonly kind: "workloadLabels";
      readonly upserts: readonly Named<WorkloadLabels>[];
      readonly removedNames: readonly string[];
    };

/** A resource that was not applied; named in the NACK, and asked for again after a reconnect. */
export interface RejectedResource {
  readonly name: string;
  readonly reason: string;
}
