/** Labels, annotations, conditions and other names of the mesh. A test holds that every such literal of the sources is here, and every name here in the sources. */

export interface Name {
  readonly name: string;
  readonly on: string;
  readonly values: string;
  /** Who reads it; for what the mesh writes, who writes it. */
  readonly who: string;
  readonly about: string;
}

/** One row. */
export const name = (text: string, on: string, values: string, who: string, about: string): Name => ({
  name: text,
  on,
  values,
  who,
  about,
});

export const ENROLMENT: readonly Name[] = [
  name(
    "istio.io/dataplane-mode",
    "Namespace, Pod",
    "`ambient`, `none`",
    "node agent, control plane",
    "the namespace's pods join the mesh; on a Pod it wins over the namespace",
  ),
  name(
    "istio.io/rev",
    "Namespace, Gateway, Pod",
    "a revision or a tag",
    "control plane",
    "which control plane serves waypoints there; absent: `default`",
  ),
  name(
    "ambient.istio.io/dns-capture",
    "Pod (annotation)",
    "`true`, `false`",
    "node agent",
    "its DNS goes to ztunnel or not, whatever the agent's default is",
  ),
  name(
    "ambient.istio.io/bypass-inbound-capture",
    "Pod (annotation)",
    "`true`",
    "node agent",
    "only what it sends is captured; what it receives is not judged",
  ),
  name(
    "sidecar.istio.io/inject",
    "Pod",
    "`true`, `false`",
    "control plane, `analyze`",
    "a pod that has or wants a sidecar is left out of ambient mode; on pods of the mesh itself: `false`",
  ),
  name(
    "sidecar.istio.io/status",
    "Pod (annotation)",
    "written by Istio's injector",
    "node agent",
    "the pod has a sidecar: it is left alone",
  ),
  name(
    "networking.istio.io/tunnel",
    "Pod, WorkloadEntry",
    "`http`",
    "control plane",
    "it speaks HBONE by itself",
  ),
  name(
    "topology.istio.io/network",
    "Namespace of the mesh, Pod, Gateway, WorkloadEntry",
    "a network's name",
    "control plane",
    "which network it is in",
  ),
  name("topology.istio.io/subzone", "Node", "a name", "control plane", "the part of a zone, for localities"),
  name(
    "service.istio.io/canonical-name",
    "Pod",
    "a name",
    "control plane",
    "the service that metrics and logs call it, before `app.kubernetes.io/name` and `app`",
  ),
  name(
    "service.istio.io/canonical-revision",
    "Pod",
    "a version",
    "control plane",
    "the same of its version, before `app.kubernetes.io/version` and `version`",
  ),
];

export const WAYPOINTS: readonly Name[] = [
  name(
    "istio.io/use-waypoint",
    "Namespace, Service, ServiceEntry, WorkloadEntry, Pod",
    "a Gateway's name, `none`",
    "control plane",
    "its traffic goes through that waypoint",
  ),
  name(
    "istio.io/use-waypoint-namespace",
    "the same object",
    "a namespace",
    "control plane",
    "the waypoint is there",
  ),
  name(
    "istio.io/use-waypoint-canary",
    "Namespace, Service, ServiceEntry",
    "a Gateway's name",
    "control plane",
    "a second waypoint, for a share",
  ),
  name(
    "istio.io/use-waypoint-canary-namespace",
    "the same object",
    "a namespace",
    "control plane",
    "the second one is there",
  ),
  name(
    "istio.io/use-waypoint-canary-weight",
    "the same object (annotation)",
    "0–100",
    "control plane",
    "the share, in percent",
  ),
  name(
    "istio.io/ingress-use-waypoint",
    "Namespace, Service, ServiceEntry",
    "`true`",
    "control plane",
    "traffic of ingress gateways goes there too",
  ),
  name(
    "istio.io/waypoint-for",
    "Gateway, GatewayClass",
    "`service`, `workload`, `all`, `none`",
    "control plane",
    "what the waypoint serves; absent: `service`",
  ),
  name(
    "meltemi.io/waypoint-required",
    "Namespace, Service (annotation)",
    "`true`, `false`",
    "control plane",
    "there is [no way around](../waypoints.md#no-way-around) the waypoint; ours",
  ),
  name(
    "meltemi.io/high-availability",
    "Gateway (annotation)",
    "`true`, `false`",
    "control plane",
    "two replicas, budget, autoscaler; ours",
  ),
  name(
    "gateway.istio.io/service-account",
    "Gateway (annotation)",
    "a ServiceAccount's name",
    "control plane",
    "the waypoint runs as that account",
  ),
  name(
    "gateway.istio.io/name-override",
    "Gateway (annotation)",
    "a name",
    "control plane",
    "name of the Deployment and Service",
  ),
  name(
    "gateway.istio.io/defaults-for-class",
    "ConfigMap of the mesh's namespace",
    "a GatewayClass",
    "control plane",
    "patches for all waypoints of the class",
  ),
  name(
    "gateway.istio.io/controller-version",
    "Gateway (annotation)",
    "a number",
    "control plane, which writes it",
    "who deploys, when two control planes could: the larger number",
  ),
  name(
    "networking.istio.io/service-type",
    "Gateway (annotation)",
    "`ClusterIP`, `LoadBalancer`, `NodePort`",
    "control plane",
    "type of the waypoint's Service; absent: ClusterIP",
  ),
  name(
    "networking.istio.io/address-type",
    "Gateway (annotation)",
    "`IPAddress`, `Hostname`",
    "control plane",
    "which kind of address its status tells first",
  ),
  name(
    "networking.istio.io/traffic-distribution",
    "Service, ServiceEntry (annotation)",
    "`PreferClose`, `PreferSameZone`, `PreferSameNode`",
    "control plane",
    "endpoints nearby come first; also written on Services of waypoints",
  ),
  name(
    "ambient.istio.io/waypoint-inbound-binding",
    "Gateway, GatewayClass (annotation)",
    "`NONE`, `PROXY`, each also with `/<port>`",
    "control plane, for ztunnel",
    "how a ztunnel hands connections to a waypoint's process that is itself captured",
  ),
  name(
    "sidecar.istio.io/proxyImage",
    "Gateway (annotation)",
    "an image",
    "control plane",
    "image of this waypoint",
  ),
];

export const POLICIES: readonly Name[] = [
  name(
    "topology.istio.io/cluster",
    "`failoverPriority` of a DestinationRule",
    "",
    "waypoint",
    "stands for the cluster of an endpoint; so do `topology.istio.io/network`, `/subzone`, and Kubernetes' region, zone and hostname",
  ),
  name(
    "istio.io/dry-run",
    "AuthorizationPolicy (annotation)",
    "`true`",
    "control plane",
    "the policy is logged and counted and not enforced, where `AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY` is on",
  ),
  name(
    "networking.istio.io/exportTo",
    "Service (annotation)",
    "namespaces",
    "`analyze`",
    "has no effect in ambient mode; it is only warned of",
  ),
  name(
    "networking.istio.io/enable-autoallocate-ip",
    "ServiceEntry",
    "`false`",
    "control plane",
    "it gets no address from the mesh",
  ),
  name(
    "galley.istio.io/analyze-suppress",
    "any object (annotation)",
    "codes, `*`",
    "`analyze`",
    "those messages are not said of it",
  ),
];
