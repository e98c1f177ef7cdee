/** What the variables mean. Names, types and most defaults are in the code; a test holds that neither side knows one that the other does not. */

export interface Meaning {
  readonly about: string;
  /** What is taken without it, where the reader is not given it in words. */
  readonly fallback?: string;
}

/** Of more than one process, with one meaning. */
export const SHARED_VARIABLES: Readonly<Record<string, Meaning>> = {
  POD_NAME: { about: "name of the process's own pod" },
  POD_NAMESPACE: { about: "its namespace" },
  SERVICE_ACCOUNT: { about: "its service account" },
  NODE_NAME: { about: "the node that it runs on" },
  INSTANCE_IP: { about: "its address" },
  NETWORK: { about: "network of the cluster (`global.network`)" },
  CLUSTER_ID: { about: "name of the cluster", fallback: "Kubernetes" },
  ISTIO_META_CLUSTER_ID: { about: "the same, from Istio's charts" },
  CLUSTER_DOMAIN: { about: "domain of the cluster's Services", fallback: "cluster.local" },
  TRUST_DOMAIN: { about: "trust domain of identities", fallback: "cluster.local" },
  XDS_ADDRESS: { about: "the control plane; empty: none" },
  XDS_ROOT_CA: {
    about: "who vouches for it: a path, PEM text, or `SYSTEM`",
    fallback: "./var/run/secrets/istio/root-cert.pem",
  },
  ALT_XDS_HOSTNAME: { about: "the name that its certificate must have, where that is not the address" },
  "XDS_HEADER_*": { about: "a header of every discovery stream, by the name that follows" },
  CA_ADDRESS: { about: "who signs certificates: the control plane, unless it is said; empty: nobody" },
  CA_ROOT_CA: { about: "who vouches for the signer", fallback: "./var/run/secrets/istio/root-cert.pem" },
  ALT_CA_HOSTNAME: { about: "the name that the signer's certificate must have" },
  "CA_HEADER_*": { about: "a header of every signing request, by the name that follows" },
  SECRET_TTL: { about: "lifetime to ask for in certificates" },
  AUTH_TOKEN: { about: "file of the token that proves who the process is, or the token itself" },
  COMPLIANCE_POLICY: { about: "`pqc`: only key exchanges that withstand quantum computers" },
  CRL_PATH: { about: "file of revocation lists; none: nobody is revoked" },
  IPV6_ENABLED: { about: "listen on IPv6 as well" },
  LOG_FORMAT: { about: "lines for people or for programs" },
  RUST_LOG: { about: "`level` and `scope=level`, comma separated", fallback: "info" },
  ISTIO_META_ISTIO_VERSION: { about: "version that `istio_build` shows", fallback: "unknown" },
  CONNECTION_TERMINATION_DEADLINE: {
    about: "how long open connections go on after the process was told to end",
  },
  TERMINATION_GRACE_PERIOD_SECONDS: {
    about: "where that is not said: the pod's grace period, less 5 s (less 1 s up to 10)",
  },
  "ISTIO_META_*": { about: "metadata of the proxy towards the control plane" },
  "ISTIO_METAJSON_*": { about: "the same, as JSON; it wins" },
};

export const ZTUNNEL_VARIABLES: Readonly<Record<string, Meaning>> = {
  INSTANCE_IP: { about: "its address; only in what it says of itself", fallback: "1.1.1.1" },
  PROXY_MODE: { about: "one for all pods of a node, or for one workload alone" },
  PROXY_WORKLOAD_INFO: { about: "of a dedicated proxy: `namespace/name/service-account`" },
  PACKET_MARK: { about: "mark on the proxy's own sockets, by which capture knows them" },
  INPOD_UDS: { about: "socket of the node agent", fallback: "/var/run/ztunnel/ztunnel.sock" },
  LOCAL_XDS_PATH: { about: "a mesh from a file, without a control plane" },
  LOCAL_XDS: { about: "the same, as YAML in the variable" },
  TLS12_ENABLED: { about: "refused: TLS 1.3 only" },
  XDS_ON_DEMAND: {
    about:
      "ask for workloads and services when a connection is about them; only with `ISTIO_META_DNS_CAPTURE=false`",
  },
  POOL_MAX_STREAMS_PER_CONNECTION: { about: "connections in one tunnel" },
  POOL_UNUSED_RELEASE_TIMEOUT: { about: "how long a tunnel that nobody uses is kept" },
  HTTP2_STREAM_WINDOW_SIZE: { about: "bytes on the way in one connection" },
  HTTP2_CONNECTION_WINDOW_SIZE: { about: "bytes on the way in one tunnel" },
  HTTP2_FRAME_SIZE: { about: "largest frame that is taken, in bytes" },
  ENABLE_RESPONSE_BAGGAGE: { about: "say in answers who the destination is, for metrics" },
  LOCALHOST_APP_TUNNEL: { about: "reach application tunnels (`waypoint-inbound-binding`) on 127.0.0.1" },
  KEEPALIVE_ENABLED: { about: "TCP keep-alive on the proxy's sockets" },
  KEEPALIVE_TIME: { about: "silence before the first probe" },
  KEEPALIVE_INTERVAL: { about: "time between probes" },
  KEEPALIVE_RETRIES: { about: "probes without an answer that end a connection" },
  USER_TIMEOUT_ENABLED: {
    about: "end a connection whose data nobody acknowledged for as long as the probes would take",
  },
  ENABLE_ORIG_SRC: {
    about: "connect to programs with the client's address: `true` always, `false` never",
    fallback: "where the kernel permits",
  },
  INPOD_PORT_REUSE: { about: "two ztunnels may listen at once, for upgrades" },
  ISTIO_META_DNS_PROXY_ADDR: { about: "where the DNS proxy listens in pods", fallback: "localhost:15053" },
  ISTIO_META_DNS_CAPTURE: { about: "serve DNS" },
  PREFERED_SERVICE_NAMESPACE: {
    about: "namespace that wins when two have a service of one host name (spelt as in Istio)",
  },
  AUTHZ_POLICY_INFO_LOGGING: { about: "log what policies decide, at level info" },
  UV_THREADPOOL_SIZE: { about: "Node's threads for files and names", fallback: "4" },
  NODE_COMPILE_CACHE: { about: "set by the process itself: where Node keeps compiled code" },
};

export const WAYPOINT_VARIABLES: Readonly<Record<string, Meaning>> = {
  CA_ADDR: { about: "the control plane, where `XDS_ADDRESS` is not set" },
  ISTIO_META_NETWORK: { about: "network of the pod, before `NETWORK`" },
};

export const CONTROL_PLANE_VARIABLES: Readonly<Record<string, Meaning>> = {
  REVISION: { about: "the revision that this control plane is" },
  TRUST_DOMAIN: { about: "trust domain", fallback: "`trustDomain` of the mesh configuration" },
  ISTIOD_CUSTOM_HOST: { about: "further names in its certificate, comma separated" },
  TOKEN_AUDIENCES: { about: "audiences of tokens that are taken, comma separated" },
  CA_TRUSTED_NODE_ACCOUNTS: {
    about: "`namespace/account` of node proxies, which may ask for certificates of the pods of their node",
    fallback: "istio-system/ztunnel",
  },
  DEFAULT_WORKLOAD_CERT_TTL: { about: "lifetime of certificates where none is asked for", fallback: "24h" },
  MAX_WORKLOAD_CERT_TTL: { about: "longest lifetime", fallback: "2160h" },
  PILOT_ENABLE_CA_CRL: { about: "publish the revocation lists of the Secret `cacerts`" },
  XDS_AUTH: { about: "ask for a token on discovery streams" },
  BLOCKED_CIDRS_IN_JWKS_URIS: {
    about: "further addresses that keys of token issuers are never fetched from",
  },
  AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY: { about: "obey annotation `istio.io/dry-run`" },
  AMBIENT_ENABLE_STATUS: { about: "write status of policies, services and routes" },
  VALIDATION_WEBHOOK_CONFIG_NAME: { about: "empty: the validation webhook's configuration is not kept up" },
  PILOT_ENABLE_NODE_UNTAINT_CONTROLLERS: {
    about: "take taint `cni.istio.io/not-ready` from nodes whose agent is ready (`taint.enabled`)",
  },
  WAYPOINT_IMAGE: { about: "image of waypoints; none: nothing is deployed" },
  WAYPOINT_POD: {
    about:
      "JSON of `global.waypoint`: resources, affinity, topologySpreadConstraints, nodeSelector, tolerations",
  },
  WAYPOINT_HIGH_AVAILABILITY: { about: "`global.waypoint.highAvailability`" },
  WAYPOINT_LOG_LEVEL: { about: "log level of waypoints" },
  CA_ADDR: { about: "address that waypoints are given", fallback: "this control plane's Service" },
  PILOT_DEBOUNCE_AFTER: { about: "how long it must be quiet before changes are sent" },
  PILOT_DEBOUNCE_MAX: { about: "the longest that changes are gathered" },
  TERMINATION_DRAIN_DURATION: { about: "how long streams are kept after it was told to end" },
  PILOT_ENABLE_AMBIENT: { about: "`false` is refused: it serves ambient meshes only" },
  KUBECONFIG: { about: "outside of a cluster: how to reach the API server" },
  KUBERNETES_SERVICE_HOST: { about: "inside of a cluster: set by the kubelet" },
  KUBERNETES_SERVICE_PORT: { about: "inside of a cluster: set by the kubelet", fallback: "443" },
};

export const NODE_AGENT_VARIABLES: Readonly<Record<string, Meaning>> = {
  DAEMONSET_NAME: {
    about: "the DaemonSet of this agent: when that is gone, it takes everything off the node",
  },
  EXCLUDE_NAMESPACES: { about: "namespaces whose pods never join" },
  AMBIENT_DNS_CAPTURE: { about: "DNS of pods goes to ztunnel, where the pod does not say otherwise" },
  AMBIENT_IPV6: { about: "capture IPv6" },
  NATIVE_NFTABLES: { about: "`true`: nftables, whatever CAPTURE_BACKEND says" },
  CAPTURE_BACKEND: { about: "auto: eBPF where the kernel has what it takes, else nftables" },
  CAPTURE_PIN_DIR: { about: "where eBPF programs and maps are kept, over restarts of the agent" },
  MOUNTED_CNI_BIN_DIR: { about: "the node's folder of plugins, as mounted here" },
  MOUNTED_CNI_NET_DIR: { about: "the node's folder of network configurations, as mounted here" },
  CNI_NET_DIR: { about: "the same, under Istio's other name" },
  CNI_CONF_NAME: { about: "the list to join", fallback: "the first there is" },
  ISTIO_OWNED_CNI_CONFIG: { about: "write a list of our own in place of joining theirs" },
  ISTIO_OWNED_CNI_CONFIG_FILENAME: { about: "its name" },
  CHAINED_CNI_PLUGIN: { about: "false: somebody else names the plugin in the configuration (Multus)" },
  ZTUNNEL_UDS_ADDRESS: { about: "socket for ztunnels" },
  CNI_AGENT_RUN_DIR: { about: "folder of the socket that the plugin asks" },
  HOST_PROC_DIR: { about: "the node's /proc, as mounted here" },
  MOUNTED_CNI_NETNS_DIR: { about: "the runtime's network namespaces, as mounted here" },
  HEALTH_PORT: { about: "port of readiness" },
  MONITORING_PORT: { about: "port of metrics" },
  LOG_LEVEL: { about: "log level" },
  UV_THREADPOOL_SIZE: { about: "Node's threads for files and names", fallback: "4" },
  KUBERNETES_SERVICE_HOST: { about: "set by the kubelet" },
  KUBERNETES_SERVICE_PORT: { about: "set by the kubelet", fallback: "443" },
};

export const COMMAND_LINE_VARIABLES: Readonly<Record<string, Meaning>> = {
  KUBECONFIG: { about: "kubeconfig file; the first of a list", fallback: "~/.kube/config" },
  "ISTIOCTL_*": { about: "a global flag: `ISTIOCTL_NAMESPACE`, `ISTIOCTL_AS_GROUP`, …" },
  ISTIOCONFIG: { about: "file of settings", fallback: "~/.istioctl/config.yaml" },
  HOME: { about: "where the two files are", fallback: "/root" },
  NO_COLOR: { about: "when set, no colours" },
  MELTEMI_COMMAND_NAME: { about: "the name under which help is written", fallback: "meltemi" },
  PATH: { about: "of the demo: its commands are put in front" },
};

/** Given to the plugin by the container runtime (CNI specification); none is for people. */
export const PLUGIN_VARIABLES: readonly string[] = ["CNI_COMMAND", "CNI_NETNS", "CNI_ARGS"];
