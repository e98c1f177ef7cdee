/** The control plane's addresses. Pure. */

import { istiodName, istiodSelector } from "./istiod-names.ts";
import {
  type ChartContext,
  filled,
  type Labels,
  list,
  type Manifest,
  text,
  textMap,
  texts,
} from "./objects.ts";
import { type Tree, treeAt } from "./tree.ts";

/** Tokens never cross the network in the clear: there is no 15010. */
const PORTS = [
  { name: "https-dns", port: 15012, protocol: "TCP", targetPort: 15012 },
  { name: "https-webhook", port: 443, protocol: "TCP", targetPort: 15017 },
  { name: "http-monitoring", port: 15014, protocol: "TCP", targetPort: 15014 },
] as const;

/** Its own, and one more for each tag of its revision. */
export function controlPlaneServices(
  { values, namespace }: ChartContext,
  labels: Labels,
): readonly Manifest[] {
  const annotations = textMap(treeAt(values, "serviceAnnotations"));
  return ["", ...texts(values, "revisionTags")].map((tag) => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: tag === "" ? istiodName(values) : `istiod-revision-tag-${tag}`,
      namespace,
      labels: tag === "" ? labels : { ...labels, "istio.io/tag": tag },
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    spec: {
      ports: PORTS,
      selector: istiodSelector(values),
      ...filled("ipFamilyPolicy", text(values, "ipFamilyPolicy")),
      ...filled("ipFamilies", list(values, "ipFamilies")),
      ...filled("trafficDistribution", text(values, "trafficDistribution")),
    },
  }));
}

export function addressOf(values: Tree): string {
  return text(values, "global.remotePilotAddress");
}

/** A control plane outside this cluster, under the name that its proxies know. */
export function remoteServices(
  { values, namespace }: ChartContext,
  labels: Labels,
  address: string,
): readonly Manifest[] {
  const name = istiodName(values);
  const service = (spec: Tree): Manifest => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace, labels },
    spec,
  });
  const isIpv6 = address.includes(":");
  if (!isIpv6 && !/^[0-9.]+$/.test(address))
    return [service({ type: "ExternalName", externalName: address })];
  return [
    service({ clusterIP: "None", ports: PORTS }),
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name, namespace, labels: { ...labels, "kubernetes.io/service-name": name } },
      addressType: isIpv6 ? "IPv6" : "IPv4",
      endpoints: [{ addresses: [address] }],
      ports: PORTS.map((port) => ({ name: port.name, port: port.targetPort, protocol: port.protocol })),
    },
  ];
}
