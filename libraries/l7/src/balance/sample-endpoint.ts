/** Endpoints and requests for the tests of this folder. */

import type { BalancedEndpoint, PickRequest } from "./endpoint.ts";
import type { LocalitySource } from "./locality.ts";

export interface SampleEndpoint extends BalancedEndpoint {
  active: number;
}

/** `place` is `region/zone/subzone`. */
export function sampleEndpoint(
  uid: string,
  { place = "", ...given }: Partial<SampleEndpoint> & { readonly place?: string } = {},
): SampleEndpoint {
  const [region = "", zone = "", subzone = ""] = place.split("/");
  return {
    uid,
    address: `${uid}:8080`,
    weight: 1,
    locality: { region, zone, subzone },
    network: "",
    clusterId: "Kubernetes",
    node: "",
    labels: {},
    healthy: true,
    sinceMs: 0,
    active: 0,
    ...given,
  };
}

export function sampleSource(place = "", labels: Readonly<Record<string, string>> = {}): LocalitySource {
  const { locality, network, clusterId, node } = sampleEndpoint("", { place });
  return { locality, network, clusterId, node, labels };
}

/** Every call draws anew, evenly spread and the same in each run. */
export function evenRandom(seed = 1): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    // The upper bits of such a generator are the even ones.
    return ((state ^ (state >>> 16)) >>> 0) / 0x100000000;
  };
}

export function samplePick(given: Partial<PickRequest> = {}): PickRequest {
  return { nowMs: 0, random: evenRandom(), hash: undefined, tried: [], otherPriorities: false, ...given };
}
