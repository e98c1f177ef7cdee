/** Service → EndpointSlices: who serves it now, by address family and by resolved target ports. */

import {
  ENDPOINT_SLICES,
  type EndpointSlice,
  matchesLabels,
  type Node,
  nameOf,
  namespaceOf,
  type Pod,
  SERVICES,
  type Service,
} from "@meltemi/kubernetes";
import type { Endpoint, EndpointPort } from "kubernetes-types/discovery/v1.js";
import type { Action, Decision } from "./action.ts";
import { controllerReference, isTerminating } from "./ownership.ts";
import { isFinished, isReady } from "./pod-state.ts";
import { canonical, shortHash } from "./template-hash.ts";

export interface EndpointView {
  readonly service: Service;
  /** All pods of its namespace. */
  readonly pods: readonly Pod[];
  /** Slices that carry the service's name. */
  readonly slices: readonly EndpointSlice[];
  /** By name. */
  readonly nodes: ReadonlyMap<string, Node>;
}

export const SERVICE_NAME = "kubernetes.io/service-name";
const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
const MANAGER = "endpointslice-controller.k8s.io";
const HEADLESS = "service.kubernetes.io/headless";
const ZONE = "topology.kubernetes.io/zone";
/** Kubernetes' default: one changed endpoint re-sends no more than this. */
const SLICE_ENDPOINTS = 100;

type Family = "IPv4" | "IPv6";

interface Group {
  readonly family: Family;
  readonly ports: readonly EndpointPort[];
  readonly endpoints: Endpoint[];
}

/** Slices that others manage for a service without selector are left alone. */
export function decideEndpointSlices(view: EndpointView): Decision {
  const { service } = view;
  const ours = view.slices.filter(
    (slice) => slice.metadata?.labels?.[MANAGED_BY] === MANAGER && !isTerminating(slice),
  );
  const selects = service.spec?.selector !== undefined && service.spec.type !== "ExternalName";
  const wanted = selects && !isTerminating(service) ? slicesOf(view) : [];
  const actions: Action[] = [];
  for (const slice of wanted) {
    const present = ours.find((each) => nameOf(each) === nameOf(slice));
    if (present === undefined) actions.push({ kind: "create", type: ENDPOINT_SLICES, object: slice });
    else if (!isSame(slice, present)) actions.push(update(slice, present));
  }
  const names = new Set(wanted.map(nameOf));
  for (const object of ours) {
    if (!names.has(nameOf(object))) actions.push({ kind: "delete", type: ENDPOINT_SLICES, object });
  }
  return { actions };
}

function update(slice: EndpointSlice, present: EndpointSlice): Action {
  const { endpoints, ports, metadata } = slice;
  const gone = Object.keys(present.metadata?.labels ?? {}).filter(
    (name) => metadata?.labels?.[name] === undefined,
  );
  const labels = { ...metadata?.labels, ...Object.fromEntries(gone.map((name) => [name, null])) };
  const body = { metadata: { labels }, endpoints, ports: ports ?? null };
  return { kind: "patch", type: ENDPOINT_SLICES, object: present, body, guarded: true };
}

function isSame(a: EndpointSlice, b: EndpointSlice): boolean {
  const relevant = ({ endpoints, ports, metadata }: EndpointSlice): string =>
    canonical([endpoints, ports, metadata?.labels]);
  return relevant(a) === relevant(b);
}

function slicesOf(view: EndpointView): readonly EndpointSlice[] {
  const families = familiesOf(view.service);
  const groups = families.flatMap((family) => groupsOf(view, family));
  return groups.flatMap(({ family, ports, endpoints }) => {
    const count = Math.max(1, Math.ceil(endpoints.length / SLICE_ENDPOINTS));
    return Array.from({ length: count }, (_, index) => {
      const part = endpoints.slice(index * SLICE_ENDPOINTS, (index + 1) * SLICE_ENDPOINTS);
      return newSlice(view.service, family, ports, part, index);
    });
  });
}

/** The name depends on service, family, ports and place alone: a second try cannot make a second slice. */
function newSlice(
  service: Service,
  addressType: Family,
  ports: readonly EndpointPort[],
  endpoints: readonly Endpoint[],
  index: number,
): EndpointSlice {
  const suffix = shortHash(canonical([service.metadata?.uid, addressType, ports, index])).slice(0, 5);
  return {
    metadata: {
      // A name may have 253 characters; a service's has 63 at most.
      name: `${nameOf(service)}-${suffix}`,
      namespace: namespaceOf(service),
      labels: {
        ...service.metadata?.labels,
        [SERVICE_NAME]: nameOf(service),
        [MANAGED_BY]: MANAGER,
        ...(service.spec?.clusterIP === "None" ? { [HEADLESS]: "" } : {}),
      },
      ownerReferences: [controllerReference(SERVICES, service)],
    },
    addressType,
    endpoints: [...endpoints],
    ports: [...ports],
  };
}

function familiesOf(service: Service): readonly Family[] {
  const families = (service.spec?.ipFamilies ?? []).filter(
    (family) => family === "IPv4" || family === "IPv6",
  );
  if (families.length > 0) return families;
  return service.spec?.clusterIP?.includes(":") === true ? ["IPv6"] : ["IPv4"];
}

/** Pods whose named target ports resolve alike share slices. Without any pod there is one empty slice. */
function groupsOf(view: EndpointView, family: Family): readonly Group[] {
  const groups = new Map<string, Group>();
  const pods = view.pods
    .filter((pod) => matchesLabels(view.service.spec?.selector, pod.metadata?.labels) && !isFinished(pod))
    .sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  for (const pod of pods) {
    const address = addressOf(pod, family);
    if (address === undefined) continue;
    const ports = portsOf(view.service, pod);
    const key = canonical(ports) || "none";
    const group = groups.get(key) ?? { family, ports, endpoints: [] };
    group.endpoints.push(endpointOf(view, pod, address));
    groups.set(key, group);
  }
  return groups.size > 0 ? [...groups.values()] : [{ family, ports: [], endpoints: [] }];
}

function addressOf(pod: Pod, family: Family): string | undefined {
  const addresses = pod.status?.podIPs?.map(({ ip }) => ip ?? "") ?? [pod.status?.podIP ?? ""];
  return addresses.find((ip) => ip !== "" && ip.includes(":") === (family === "IPv6"));
}

/** A named target port that the pod does not have leaves that port out for it. */
function portsOf(service: Service, pod: Pod): readonly EndpointPort[] {
  return (service.spec?.ports ?? []).flatMap((each): EndpointPort[] => {
    const protocol = each.protocol ?? "TCP";
    const port = targetPort(each.targetPort ?? each.port, protocol, pod);
    if (port === undefined) return [];
    const appProtocol = each.appProtocol === undefined ? {} : { appProtocol: each.appProtocol };
    return [{ name: each.name ?? "", port, protocol, ...appProtocol }];
  });
}

function targetPort(target: number | string, protocol: string, pod: Pod): number | undefined {
  if (typeof target === "number") return target;
  // Init containers that restart always are sidecars and serve ports too.
  const sidecars = (pod.spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  const ports = [...(pod.spec?.containers ?? []), ...sidecars].flatMap((container) => container.ports ?? []);
  return ports.find((port) => port.name === target && (port.protocol ?? "TCP") === protocol)?.containerPort;
}

function endpointOf(view: EndpointView, pod: Pod, address: string): Endpoint {
  const serving = isReady(pod);
  const terminating = isTerminating(pod);
  const ready = view.service.spec?.publishNotReadyAddresses === true || (serving && !terminating);
  const nodeName = pod.spec?.nodeName;
  const zone = view.nodes.get(nodeName ?? "")?.metadata?.labels?.[ZONE];
  const { hostname, subdomain } = pod.spec ?? {};
  return {
    addresses: [address],
    conditions: { ready, serving, terminating },
    ...(hostname !== undefined && subdomain === nameOf(view.service) ? { hostname } : {}),
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(zone === undefined ? {} : { zone }),
    targetRef: {
      kind: "Pod",
      name: nameOf(pod),
      namespace: namespaceOf(pod),
      ...(pod.metadata?.uid === undefined ? {} : { uid: pod.metadata.uid }),
    },
  };
}
