/** A Kubernetes of a given size, behind the two calls that the control plane's informers make. */

import {
  type KubernetesClient,
  type KubernetesObject,
  NAMESPACES,
  type Namespace,
  PODS,
  type Pod,
  type ResourceType,
  SERVICES,
  type Service,
  type WatchEvent,
} from "@meltemi/kubernetes";

export interface SyntheticCluster {
  readonly client: Pick<KubernetesClient, "list" | "watch" | "apply">;
  /** Flips the readiness of the next `count` pods, all in one turn of the event loop. */
  change(count: number): void;
}

const PODS_PER_SERVICE = 20;
const NAMESPACE_COUNT = 20;
const NODE_COUNT = 100;

export function createSyntheticCluster(podCount: number): SyntheticCluster {
  const pods = Array.from({ length: podCount }, (_, at) => podOf(at, true));
  const serviceCount = Math.ceil(podCount / PODS_PER_SERVICE);
  const services = Array.from({ length: serviceCount }, (_, at) => serviceOf(at));
  const namespaces: Namespace[] = Array.from({ length: NAMESPACE_COUNT }, (_, at) => ({
    metadata: { name: `ns-${at}`, resourceVersion: "1" },
  }));
  const objects = new Map<string, readonly KubernetesObject[]>([
    [PODS.plural, pods],
    [SERVICES.plural, services],
    [NAMESPACES.plural, namespaces],
  ]);
  let tell: (events: readonly WatchEvent<Pod>[]) => void = () => undefined;
  let version = 1;
  let next = 0;

  async function* watchPods(): AsyncGenerator<WatchEvent<Pod>, void, undefined> {
    for (;;) {
      const batch = await new Promise<readonly WatchEvent<Pod>[]>((resolve) => {
        tell = resolve;
      });
      yield* batch;
    }
  }
  async function* watchNothing(signal: AbortSignal | undefined): AsyncGenerator<never, void, undefined> {
    await new Promise<void>((resolve) => signal?.addEventListener("abort", () => resolve(), { once: true }));
  }

  return {
    client: {
      list: <T extends KubernetesObject>(type: ResourceType<T>) =>
        Promise.resolve({ items: (objects.get(type.plural) ?? []) as readonly T[], resourceVersion: "1" }),
      watch: <T extends KubernetesObject>(
        type: ResourceType<T>,
        options: { readonly signal?: AbortSignal | undefined },
      ) =>
        (type.plural === PODS.plural ? watchPods() : watchNothing(options.signal)) as AsyncGenerator<
          WatchEvent<T>,
          void,
          undefined
        >,
      apply: () => Promise.reject(new Error("nothing is written in this benchmark")),
    },
    change(count) {
      const events: WatchEvent<Pod>[] = [];
      for (let done = 0; done < count; done++) {
        const at = next++ % podCount;
        const before = pods[at];
        const isReady = before?.status?.conditions?.[0]?.status === "True";
        const pod = podOf(at, !isReady, String(++version));
        pods[at] = pod;
        events.push({ kind: "modified", object: pod });
      }
      tell(events);
    },
  };
}

function podOf(at: number, ready: boolean, resourceVersion = "1"): Pod {
  const service = Math.floor(at / PODS_PER_SERVICE);
  const address = `10.${(at >> 16) & 255}.${(at >> 8) & 255}.${at & 255}`;
  return {
    metadata: {
      namespace: namespaceOf(service),
      name: `app-${service}-5d9f7c6b8-${at}`,
      uid: `00000000-0000-0000-0000-${String(at).padStart(12, "0")}`,
      resourceVersion,
      labels: { app: `app-${service}`, "pod-template-hash": "5d9f7c6b8", version: "v1" },
      annotations: { "ambient.istio.io/redirection": "enabled" },
      ownerReferences: [
        {
          apiVersion: "apps/v1",
          kind: "ReplicaSet",
          name: `app-${service}-5d9f7c6b8`,
          uid: "u",
          controller: true,
        },
      ],
    },
    spec: {
      nodeName: `node-${at % NODE_COUNT}`,
      serviceAccountName: `app-${service}`,
      containers: [{ name: "app", ports: [{ name: "http", containerPort: 8080 }] }],
    },
    status: {
      phase: "Running",
      podIP: address,
      podIPs: [{ ip: address }],
      conditions: [{ type: "Ready", status: ready ? "True" : "False" }],
    },
  };
}

function serviceOf(at: number): Service {
  return {
    metadata: { namespace: namespaceOf(at), name: `app-${at}`, resourceVersion: "1" },
    spec: {
      clusterIP: `10.96.${(at >> 8) & 255}.${at & 255}`,
      selector: { app: `app-${at}` },
      ports: [{ name: "http", port: 80, targetPort: "http" }],
    },
  };
}

function namespaceOf(service: number): string {
  return `ns-${service % NAMESPACE_COUNT}`;
}
