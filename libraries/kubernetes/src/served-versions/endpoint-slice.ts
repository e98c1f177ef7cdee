/** `discovery.k8s.io/v1beta1` → v1 (Kubernetes, "EndpointSlice", removed API of 1.25): all that 1.20 and older serve. Pure. */

import type { EndpointSlice } from "../kinds.ts";
import type { CustomObject } from "../resource-type.ts";

type Endpoint = EndpointSlice["endpoints"][number];

/** What v1 took out of `topology` into fields of their own. */
const NODE = "kubernetes.io/hostname";
const ZONE = "topology.kubernetes.io/zone";

/** `nodeName` is there beside `topology` from 1.20 on, where its gate is open. */
interface OldEndpoint extends Omit<Endpoint, "addresses" | "deprecatedTopology"> {
  readonly addresses?: string[] | null;
  readonly topology?: Readonly<Record<string, string>> | null;
}

/** The object with v1's fields; what a list may leave null is an empty list. Everything else is as it came. */
export function endpointSliceFromV1beta1(object: CustomObject): EndpointSlice {
  const { endpoints, ports, ...rest } = object as Omit<EndpointSlice, "endpoints"> & {
    readonly endpoints?: readonly OldEndpoint[] | null;
  };
  return {
    ...rest,
    endpoints: (endpoints ?? []).map(endpointFromV1beta1),
    ...(ports && { ports }),
  };
}

function endpointFromV1beta1({ topology, addresses, ...rest }: OldEndpoint): Endpoint {
  const { [NODE]: node, [ZONE]: zone, ...others } = topology ?? {};
  return {
    ...rest,
    addresses: addresses ?? [],
    ...(node !== undefined && rest.nodeName === undefined && { nodeName: node }),
    ...(zone !== undefined && { zone }),
    ...(Object.keys(others).length > 0 && { deprecatedTopology: others }),
  };
}
