/** Objects that a real cluster's installer makes: the endpoints of the API server and the Service of the cluster DNS. */

import {
  ENDPOINT_SLICES,
  type EndpointSlice,
  type KubernetesClient,
  SERVICES,
  type Service,
} from "@meltemi/kubernetes";
import { ensureObject } from "../kubelet/ensure-object.ts";
import { DNS_SERVICE_ADDRESS, FABRIC, FABRIC_API_PORT } from "../network/addresses.ts";

export const DNS_PORT = 53;

/** Makes or corrects them. */
export async function applySystemObjects(client: KubernetesClient): Promise<void> {
  await ensureObject(
    client,
    ENDPOINT_SLICES,
    slice("default", "kubernetes", [{ name: "https", port: FABRIC_API_PORT }]),
  );
  await ensureObject(client, SERVICES, dnsService());
  const dnsPorts = [
    { name: "dns", port: DNS_PORT, protocol: "UDP" },
    { name: "dns-tcp", port: DNS_PORT, protocol: "TCP" },
  ];
  await ensureObject(client, ENDPOINT_SLICES, slice("kube-system", "kube-dns", dnsPorts));
}

function slice(
  namespace: string,
  service: string,
  ports: readonly { readonly name: string; readonly port: number; readonly protocol?: string }[],
): EndpointSlice {
  return {
    metadata: { name: service, namespace, labels: { "kubernetes.io/service-name": service } },
    addressType: "IPv4",
    endpoints: [{ addresses: [FABRIC.v4], conditions: { ready: true } }],
    ports: ports.map((port) => ({ protocol: "TCP", ...port })),
  };
}

function dnsService(): Service {
  return {
    metadata: {
      name: "kube-dns",
      namespace: "kube-system",
      labels: { "k8s-app": "kube-dns", "kubernetes.io/name": "CoreDNS" },
    },
    spec: {
      clusterIP: DNS_SERVICE_ADDRESS,
      ports: [
        { name: "dns", port: DNS_PORT, protocol: "UDP", targetPort: DNS_PORT },
        { name: "dns-tcp", port: DNS_PORT, protocol: "TCP", targetPort: DNS_PORT },
      ],
    },
  };
}
