/** The compiled mesh in its encoded form: one log per type, each resource encoded once per change for all clients. */

import { formatCidr, type Policy, type Service, type Workload } from "@meltemi/model";
import {
  ADDRESS_TYPE_URL,
  AUTHORIZATION_TYPE_URL,
  createResourceLog,
  type EncodedResource,
  encodeAddress,
  encodePolicy,
  encodeResource,
  nodeKey,
  type ResourceLog,
} from "@meltemi/xds";
import type { MeshChanges } from "../compile/mesh-compiler.ts";
import type { ClientKind } from "./client-kind.ts";
import { createWaypointResources } from "./waypoint-resources.ts";

export interface MeshResources {
  readonly addresses: ResourceLog;
  readonly policies: ResourceLog;
  /** What such a client may be told, in the order in which it goes out: what refers comes after what it refers to. */
  logsFor(client: ClientKind): readonly ResourceLog[];
  /** Encodes and books what changed; returns how many resources are different from before. */
  publish(changes: MeshChanges): number;
  /** Resources encoded since the start. */
  readonly encodings: number;
}

export function createMeshResources(): MeshResources {
  const addresses = createResourceLog(ADDRESS_TYPE_URL);
  const policies = createResourceLog(AUTHORIZATION_TYPE_URL);
  let encodings = 0;
  const counted = (resource: EncodedResource): EncodedResource => {
    encodings++;
    return resource;
  };
  const waypoints = createWaypointResources(() => {
    encodings++;
  });
  return {
    addresses,
    policies,
    logsFor(client) {
      if (client.kind === "mesh") return [policies, addresses];
      const { settings, served } = waypoints.logsOf(client.gateway);
      return [policies, addresses, waypoints.labels, settings, served];
    },
    publish(changes) {
      const { workloads, services, policies: changedPolicies } = changes;
      const policyCount = policies.apply(
        changedPolicies.upserts.map(({ name, value }) => counted(policyResource(name, value))),
        changedPolicies.removedNames,
      );
      const addressCount = addresses.apply(
        [
          ...services.upserts.map(({ name, value }) => counted(serviceResource(name, value))),
          ...workloads.upserts.map(({ name, value }) => counted(workloadResource(name, value))),
        ],
        [...workloads.removedNames, ...services.removedNames],
      );
      return policyCount + addressCount + waypoints.publish(changes);
    },
    get encodings() {
      return encodings;
    },
  };
}

function workloadResource(name: string, workload: Workload): EncodedResource {
  const { network, addresses, networkMode, services, node } = workload;
  return encodeResource({
    typeUrl: ADDRESS_TYPE_URL,
    name,
    value: encodeAddress({ kind: "workload", workload }),
    // The address of a pod on the host network is the node's: it names nothing.
    aliases: networkMode === "hostNetwork" ? [] : addresses.map((ip) => `${network}/${ip}`),
    related: node === "" ? [...services.keys()] : [...services.keys(), nodeKey(node)],
  });
}

function serviceResource(name: string, service: Service): EncodedResource {
  return encodeResource({
    typeUrl: ADDRESS_TYPE_URL,
    name,
    value: encodeAddress({ kind: "service", service }),
    aliases: [
      ...service.vips.map(({ network, ip }) => `${network}/${ip}`),
      ...service.cidrVips.map(({ network, cidr }) => `${network}/${formatCidr(cidr)}`),
    ],
  });
}

function policyResource(name: string, policy: Policy): EncodedResource {
  return encodeResource({ typeUrl: AUTHORIZATION_TYPE_URL, name, value: encodePolicy(policy) });
}
