/** The controller that keeps the EndpointSlices of every Service current. */

import {
  ENDPOINT_SLICES,
  type EndpointSlice,
  keyOf,
  keyOfRef,
  matchesLabels,
  NODES,
  nameOf,
  namespaceOf,
  PODS,
  type Pod,
  SERVICES,
} from "@meltemi/kubernetes";
import {
  type ControllerContext,
  inNamespace,
  type RunningController,
  relation,
  startObjectController,
} from "./controller.ts";
import { decideEndpointSlices, SERVICE_NAME } from "./decide-endpoint-slices.ts";

/** Slices of a service that is gone go with it, by their owner reference. */
export function startEndpointSlices(context: ControllerContext): RunningController {
  const { world } = context;
  const services = world.of(SERVICES);
  const pods = world.of(PODS);
  const slices = world.of(ENDPOINT_SLICES);
  const nodes = world.of(NODES);
  const servicesOf = (pod: Pod): readonly string[] =>
    inNamespace(services, pod)
      .filter((service) => matchesLabels(service.spec?.selector, pod.metadata?.labels))
      .map(keyOf);
  const serviceOf = (slice: EndpointSlice): readonly string[] => {
    const name = slice.metadata?.labels?.[SERVICE_NAME];
    return name === undefined ? [] : [keyOfRef({ namespace: namespaceOf(slice), name })];
  };
  return startObjectController(
    {
      name: "endpointslice",
      type: SERVICES,
      decide: (service) =>
        decideEndpointSlices({
          service,
          pods: inNamespace(pods, service),
          slices: inNamespace(slices, service).filter(
            (slice) => slice.metadata?.labels?.[SERVICE_NAME] === nameOf(service),
          ),
          nodes: new Map(nodes.list().map((node) => [nameOf(node), node])),
        }),
      related: [relation(pods, servicesOf), relation(slices, serviceOf)],
    },
    context,
  );
}
