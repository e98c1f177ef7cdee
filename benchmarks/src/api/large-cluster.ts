/** The objects of a large cluster, as its API server would have them. Pure. */

import type {
  CustomObject,
  EndpointSlice,
  KubernetesObject,
  Namespace,
  Pod,
  Service,
} from "@meltemi/kubernetes";

const NAMESPACE_COUNT = 100;
const PODS_PER_SERVICE = 10;
const NODE_COUNT = 100;

export interface LargeCluster {
  readonly namespaces: readonly Namespace[];
  readonly pods: readonly Pod[];
  readonly services: readonly Service[];
  readonly endpointSlices: readonly EndpointSlice[];
  /** One a namespace. */
  readonly policies: readonly CustomObject[];
}

export function largeCluster(podCount: number): LargeCluster {
  const serviceCount = podCount / PODS_PER_SERVICE;
  const count = <T>(length: number, of: (at: number) => T): readonly T[] =>
    Array.from({ length }, (_, at) => of(at));
  return {
    namespaces: count(NAMESPACE_COUNT, (at) => ({
      ...known(`namespace-${at}`, "", `ns-${at}`),
      spec: { finalizers: ["kubernetes"] },
      status: { phase: "Active" },
    })),
    pods: count(podCount, podOf),
    services: count(serviceCount, serviceOf),
    endpointSlices: count(serviceCount, endpointSliceOf),
    policies: count(NAMESPACE_COUNT, policyOf),
  };
}

/** Names of all Address resources that a node is to hear of. */
export function addressNames({ pods, services }: LargeCluster): ReadonlySet<string> {
  return new Set([
    ...pods.map(({ metadata }) => `Kubernetes//Pod/${metadata?.namespace}/${metadata?.name}`),
    ...services.map(({ metadata }) => {
      const { name, namespace } = metadata ?? {};
      return `${namespace}/${name}.${namespace}.svc.cluster.local`;
    }),
    // Every cluster has it.
    "default/kubernetes.default.svc.cluster.local",
  ]);
}

const namespaceOfService = (service: number): string => `ns-${service % NAMESPACE_COUNT}`;
const serviceOfPod = (pod: number): number => Math.floor(pod / PODS_PER_SERVICE);
const podName = (at: number): string => `app-${serviceOfPod(at)}-5d9f7c6b8-${at}`;
const podAddress = (at: number): string => `10.${64 + (at >> 16)}.${(at >> 8) & 255}.${at & 255}`;

function known(uid: string, namespace: string, name: string): Pick<KubernetesObject, "metadata"> {
  const metadata = { uid, name, creationTimestamp: "2026-01-01T00:00:00Z" };
  return { metadata: namespace === "" ? metadata : { ...metadata, namespace } };
}

function podOf(at: number): Pod {
  const service = serviceOfPod(at);
  const { metadata } = known(`pod-${at}`, namespaceOfService(service), podName(at));
  const address = podAddress(at);
  return {
    metadata: {
      ...metadata,
      labels: { app: `app-${service}`, "pod-template-hash": "5d9f7c6b8", version: "v1" },
      annotations: { "ambient.istio.io/redirection": "enabled" },
      ownerReferences: [
        {
          apiVersion: "apps/v1",
          kind: "ReplicaSet",
          name: `app-${service}-5d9f7c6b8`,
          uid: `replica-set-${service}`,
          controller: true,
        },
      ],
    },
    spec: {
      nodeName: `node-${at % NODE_COUNT}`,
      serviceAccountName: "default",
      containers: [{ name: "app", image: "app", ports: [{ name: "http", containerPort: 8080 }] }],
    },
    status: {
      phase: "Running",
      podIP: address,
      podIPs: [{ ip: address }],
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: [
        { name: "app", image: "app", imageID: "app", ready: true, restartCount: 0, started: true },
      ],
    },
  };
}

function serviceOf(at: number): Service {
  const clusterIP = `10.96.${(at >> 8) + 1}.${at & 255}`;
  return {
    ...known(`service-${at}`, namespaceOfService(at), `app-${at}`),
    spec: {
      type: "ClusterIP",
      clusterIP,
      clusterIPs: [clusterIP],
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      selector: { app: `app-${at}` },
      ports: [{ name: "http", protocol: "TCP", port: 80, targetPort: "http" }],
    },
  };
}

function endpointSliceOf(service: number): EndpointSlice {
  const namespace = namespaceOfService(service);
  const { metadata } = known(`slice-${service}`, namespace, `app-${service}-x7k2p`);
  return {
    metadata: { ...metadata, labels: { "kubernetes.io/service-name": `app-${service}` } },
    addressType: "IPv4",
    ports: [{ name: "http", protocol: "TCP", port: 8080 }],
    endpoints: Array.from({ length: PODS_PER_SERVICE }, (_, index) => {
      const at = service * PODS_PER_SERVICE + index;
      return {
        addresses: [podAddress(at)],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: `node-${at % NODE_COUNT}`,
        targetRef: { kind: "Pod", namespace, name: podName(at), uid: `pod-${at}` },
      };
    }),
  };
}

function policyOf(at: number): CustomObject {
  return {
    metadata: { namespace: `ns-${at}`, name: "callers" },
    spec: {
      action: "ALLOW",
      rules: [{ from: [{ source: { namespaces: [`ns-${at}`, `ns-${(at + 1) % NAMESPACE_COUNT}`] } }] }],
    },
  };
}
