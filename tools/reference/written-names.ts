/** Names that the mesh itself writes: see names.ts. */

import { type Name, name } from "./names.ts";

export const WRITTEN: readonly Name[] = [
  name(
    "ambient.istio.io/redirection",
    "Pod (annotation)",
    "`enabled`, `pending`",
    "node agent",
    "the pod's traffic is captured; what the control plane goes by",
  ),
  name(
    "cni.istio.io/not-ready",
    "Node (taint)",
    "",
    "control plane takes it away",
    "no pod starts before the node's agent is ready (`taint.enabled`)",
  ),
  name(
    "gateway.istio.io/managed",
    "objects of a waypoint",
    "`istio.io-mesh-controller`",
    "control plane",
    "they were made for a Gateway; what lacks it is left alone",
  ),
  name(
    "istio.io/gateway-controller",
    "field manager, and controller in routes' status",
    "",
    "control plane",
    "who wrote a waypoint's objects",
  ),
  name(
    "istio.io/gateway-controller-replicas",
    "field manager",
    "",
    "control plane",
    "who wrote `replicas`, so that an autoscaler can take it over",
  ),
  name(
    "istio.io/mesh-controller",
    "GatewayClass",
    "`controllerName`",
    "control plane",
    "the class `istio-waypoint` is ours to deploy",
  ),
  name(
    "istio.io/config",
    "ConfigMaps `istio-ca-root-cert`, `istio-ca-crl`",
    "`true`",
    "control plane",
    "published into each namespace",
  ),
  name(
    "istio.io/ca-root",
    "Secret `istio-ca-secret`",
    "type of the Secret",
    "control plane",
    "the mesh's own key",
  ),
  name(
    "istio.io/tag",
    "Service",
    "a tag",
    "`istioctl tag`, control plane",
    "a further name of the revision in its label `istio.io/rev`, for labels of namespaces and Gateways",
  ),
  name(
    "install.operator.istio.io/owning-resource",
    "every object of an installation",
    "a name",
    "`istioctl install`",
    "together with revision and namespace: whose it is to prune",
  ),
  name(
    "operator.istio.io/component",
    "every object of an installation",
    "`Pilot`, `Cni`, `Ztunnel`, `Base`, …",
    "`istioctl install`",
    "which part it is of",
  ),
  name(
    "operator.istio.io/managed",
    "every object of an installation",
    "`Reconcile`",
    "`istioctl install`",
    "the installer keeps it",
  ),
  name(
    "operator.istio.io/version",
    "every object of an installation",
    "a version",
    "`istioctl install`",
    "which version wrote it",
  ),
  name(
    "networking.istio.io/cluster",
    "Secret (annotation)",
    "a cluster's name",
    "`create-remote-secret`",
    "the cluster that the kubeconfig in it leads to",
  ),
];

export const CONDITIONS: readonly Name[] = [
  name(
    "istio.io/WaypointBound",
    "Service, ServiceEntry",
    "True, False",
    "control plane",
    "the waypoint that was asked for is used; False says why not",
  ),
  name(
    "istio.io/WaypointMissing",
    "ServiceEntry",
    "True",
    "control plane",
    "a wildcard host needs a waypoint and has none",
  ),
  name(
    "meltemi.io/WaypointRequired",
    "Service",
    "True, False",
    "control plane",
    "`meltemi.io/waypoint-required` holds; ours",
  ),
];
