/** From the bytes of a response to one update for the reader: bad resources are set aside, good ones go on. */

import type { Policy } from "@meltemi/model";
import type { ServedService, WaypointSettings } from "@meltemi/model/l7";
import { describeError } from "@meltemi/runtime";
import type { discovery } from "@meltemi/wire";
import { decodeAddress, decodePolicy } from "../convert/resource.ts";
import { decodeServedService, decodeWaypointSettings, decodeWorkloadLabels } from "../l7/resource.ts";
import {
  ADDRESS_TYPE_URL,
  type Address,
  AUTHORIZATION_TYPE_URL,
  type Named,
  type RejectedResource,
  SERVED_SERVICE_TYPE_URL,
  WAYPOINT_SETTINGS_TYPE_URL,
  type WaypointXdsUpdate,
  WORKLOAD_LABELS_TYPE_URL,
  type WorkloadLabels,
  type XdsUpdate,
} from "../types.ts";

export interface ReadResponse<U> {
  /** Undefined for a type that nobody subscribed to. */
  readonly update: U | undefined;
  readonly rejected: readonly RejectedResource[];
}

/** What every client hears. Never throws: whatever is wrong with a resource is in `rejected`. */
export function readResponse(response: discovery.DeltaDiscoveryResponse): ReadResponse<XdsUpdate> {
  const removedNames = response.removedResources;
  switch (response.typeUrl) {
    case ADDRESS_TYPE_URL: {
      const { upserts, rejected } = decodeAll<Address>(response, decodeAddress);
      return { update: { kind: "address", upserts, removedNames }, rejected };
    }
    case AUTHORIZATION_TYPE_URL: {
      const { upserts, rejected } = decodeAll<Policy>(response, decodePolicy);
      return { update: { kind: "authorization", upserts, removedNames }, rejected };
    }
    default:
      return {
        update: undefined,
        rejected: response.resources.map(({ name }) => ({ name, reason: "type was not subscribed to" })),
      };
  }
}

/** As {@link readResponse}, with the types of waypoints. */
export function readWaypointResponse(
  response: discovery.DeltaDiscoveryResponse,
): ReadResponse<WaypointXdsUpdate> {
  const removedNames = response.removedResources;
  switch (response.typeUrl) {
    case SERVED_SERVICE_TYPE_URL: {
      const { upserts, rejected } = decodeAll<ServedService>(response, decodeServedService);
      return { update: { kind: "servedService", upserts, removedNames }, rejected };
    }
    case WAYPOINT_SETTINGS_TYPE_URL: {
      const { upserts, rejected } = decodeAll<WaypointSettings>(response, decodeWaypointSettings);
      return { update: { kind: "waypointSettings", upserts, removedNames }, rejected };
    }
    case WORKLOAD_LABELS_TYPE_URL: {
      const { upserts, rejected } = decodeAll<WorkloadLabels>(response, decodeWorkloadLabels);
      return { update: { kind: "workloadLabels", upserts, removedNames }, rejected };
    }
    default:
      return readResponse(response);
  }
}

/** In the order of the response; of two resources with one name the later wins, as in the response. */
function decodeAll<T>(
  response: discovery.DeltaDiscoveryResponse,
  decode: (bytes: Uint8Array) => T,
): { readonly upserts: readonly Named<T>[]; readonly rejected: readonly RejectedResource[] } {
  const upserts: Named<T>[] = [];
  const rejected: RejectedResource[] = [];
  for (const { name, resource } of response.resources) {
    if (resource === undefined || resource.typeUrl !== response.typeUrl) {
      const found = resource === undefined ? "nothing" : resource.typeUrl.slice(0, 128);
      rejected.push({ name, reason: `expected a resource of type ${response.typeUrl}, got ${found}` });
      continue;
    }
    try {
      upserts.push({ name, value: decode(resource.value) });
    } catch (error) {
      rejected.push({ name, reason: describeError(error) });
    }
  }
  return { upserts, rejected };
}
