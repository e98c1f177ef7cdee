/** Installations, each as the `spec` of an IstioOperator, that show every value of the charts at least once. */
import type { Tree } from "../../components/cli/src/manifests/tree.ts";

export interface Installation {
  readonly name: string;
  readonly spec: Tree;
  /** On Kubernetes 1.20. */
  readonly old?: true;
}

const toleration = { key: "only", operator: "Exists" };
const affinity = {
  nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } },
};
const spread = { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway" };
const volume = { name: "more", emptyDir: {} };
const mount = { name: "more", mountPath: "/more" };

export const INSTALLATIONS: readonly Installation[] = [
  { name: "profile default", spec: {} },
  { name: "profile ambient", spec: { profile: "ambient" } },
  { name: "profile ambient on Kubernetes 1.20", spec: { profile: "ambient" }, old: true },
  { name: "profile demo", spec: { profile: "demo" } },
  { name: "profile preview", spec: { profile: "preview", components: { ztunnel: { enabled: true } } } },
  { name: "profile empty", spec: { profile: "empty" } },
  { name: "profile openshift", spec: { profile: "openshift" } },
  { name: "profile openshift-ambient", spec: { profile: "openshift-ambient" } },
  ...["10.1.2.3", "fd00::1", "istiod.elsewhere.example"].map((remotePilotAddress) => ({
    name: `profile remote, control plane at ${remotePilotAddress}`,
    spec: { profile: "remote", values: { global: { remotePilotAddress } } },
  })),
  ...["gke", "k3d", "k3s", "microk8s", "minikube", "openshift"].map((platform) => ({
    name: `platform ${platform}`,
    spec: { profile: "ambient", values: { global: { platform } } },
  })),
  {
    name: "the mission's second command",
    spec: { components: { ztunnel: { enabled: true } }, values: { ztunnel: { variant: "distroless" } } },
  },
  {
    name: "a revision with tags, images of one's own",
    spec: {
      profile: "ambient",
      revision: "canary",
      hub: "example.com/mesh",
      tag: "1.2.3",
      components: { cni: { tag: "1.2.4" } },
      values: {
        revisionTags: ["prod", "stable"],
        defaultRevision: "canary",
        global: { variant: "debug", imagePullPolicy: "Always", imagePullSecrets: ["registry"] },
        pilot: { image: "example.com/other/pilot:7" },
        cni: { pullPolicy: "Never" },
        ztunnel: { imagePullPolicy: "IfNotPresent", resourceName: "zt", imagePullSecrets: ["other"] },
      },
    },
  },
  {
    name: "a revision that is a number",
    spec: { profile: "ambient", revision: 2, values: { defaultRevision: 2 } },
  },
  {
    name: "high availability",
    spec: {
      profile: "ambient",
      values: {
        global: {
          waypoint: { highAvailability: true, nodeSelector: { pool: "edge" }, tolerations: [toleration] },
        },
        pilot: {
          autoscaleMin: 2,
          autoscaleMax: 9,
          memory: { targetAverageUtilization: 70 },
          autoscaleBehavior: { scaleDown: { stabilizationWindowSeconds: 60 } },
          pdb: { maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow" },
          rollingMaxSurge: 1,
          topologySpreadConstraints: [spread],
        },
      },
    },
  },
  {
    name: "three replicas without an autoscaler",
    spec: { values: { pilot: { autoscaleEnabled: false, replicaCount: 3 } } },
  },
  { name: "three replicas on Kubernetes 1.20", spec: { values: { pilot: { replicaCount: 3 } } }, old: true },
  {
    name: "network policies, JSON logs, nftables, quotas",
    spec: {
      profile: "ambient",
      values: {
        global: {
          networkPolicy: { enabled: true },
          logAsJson: true,
          nativeNftables: true,
          logging: { level: "all:debug" },
          proxy: { logLevel: "debug" },
          priorityClassName: "system-cluster-critical",
        },
        cni: { resourceQuotas: { enabled: true, pods: 7 } },
        ztunnel: { resourceQuotas: { enabled: true } },
      },
    },
  },
  {
    name: "one cluster of several",
    spec: {
      profile: "ambient",
      meshConfig: { trustDomain: "example.org", defaultConfig: { tracing: { sampling: 5 } } },
      values: {
        global: {
          network: "east",
          multiCluster: { clusterName: "c1" },
          meshNetworks: { east: { endpoints: [{ fromRegistry: "c1" }] } },
          proxy: { clusterDomain: "cluster.example" },
          caAddress: "ca.example:15012",
        },
        ztunnel: { xdsAddress: "x.example:15012", meshConfig: { trustDomain: "example.org" } },
      },
    },
  },
  {
    name: "everything of istiod",
    spec: {
      values: {
        gatewayClasses: { "istio-waypoint": { deployment: { spec: { minReadySeconds: 3 } } } },
        pilot: {
          resources: { requests: { cpu: "1", memory: null }, limits: { memory: "1Gi" } },
          env: { PILOT_DEBOUNCE_AFTER: "50ms", CA_TRUSTED_NODE_ACCOUNTS: "a/b", COUNT: 3, ON: true },
          envVarFrom: [{ name: "SECRET", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }],
          extraContainerArgs: ["--grpcAddr=127.0.0.1:15011"],
          initContainers: [{ name: "first", image: "example.com/first" }],
          volumes: [volume],
          volumeMounts: [mount],
          nodeSelector: { "kubernetes.io/arch": "amd64" },
          affinity,
          tolerations: [toleration],
          deploymentLabels: { team: "mesh" },
          deploymentAnnotations: { a: "b" },
          podLabels: { p: "q" },
          podAnnotations: { "prometheus.io/scrape": "false" },
          serviceAnnotations: { s: "t" },
          serviceAccountAnnotations: { "iam.example/role": "x" },
          seccompProfile: { type: "Unconfined" },
          terminationMessagePolicy: "FallbackToLogsOnError",
          ipFamilyPolicy: "PreferDualStack",
          ipFamilies: ["IPv4", "IPv6"],
          trafficDistribution: "PreferClose",
          jwksResolverExtraRootCA: "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----\n",
          trustedZtunnelNamespace: "nodes",
          trustedZtunnelName: "zt",
          traceSampling: "0.5",
          taint: { enabled: true, namespace: "nodes", name: "cni.istio.io/not-ready" },
          credentialNamespaces: ["shop", "bank"],
        },
      },
    },
  },
  {
    name: "what is pasted of Istio's own defaults",
    spec: {
      values: {
        global: {
          meshID: "m1",
          imagePullSecrets: ["registry"],
          imagePullPolicy: "IfNotPresent",
          proxy: {
            logLevel: "warning",
            statusPort: 15020,
            includeIPRanges: "*",
            componentLogLevel: "misc:error",
          },
          proxy_init: { image: "proxyv2", forceApplyIptables: false },
          defaultResources: { requests: { cpu: "10m" } },
        },
        gatewayClasses: { "istio-waypoint": { deployment: { spec: { minReadySeconds: 3 } }, service: {} } },
        sidecarInjectorWebhook: { rewriteAppHTTPProbe: true },
        telemetry: { v2: { enabled: true } },
        pilot: { cni: { enabled: false }, keepaliveMaxServerConnectionAge: "30m" },
      },
    },
  },
  { name: "credentials in all namespaces", spec: { values: { pilot: { credentialNamespaces: ["*"] } } } },
  {
    name: "no ConfigMap, no webhook",
    spec: { values: { pilot: { configMap: false }, global: { configValidation: false } } },
  },
  {
    name: "a validation server of one's own",
    spec: { values: { base: { validationURL: "https://v.example/validate", validationCABundle: "YWJj" } } },
  },
  { name: "webhooks that never fail", spec: { values: { base: { validationFailurePolicy: "Ignore" } } } },
  {
    name: "everything of cni",
    spec: {
      profile: "ambient",
      components: { cni: { namespace: "kube-system" } },
      values: {
        cni: {
          cniBinDir: "/a",
          cniConfDir: "/b",
          cniNetnsDir: "/c",
          cniConfFileName: "10-x.conflist",
          istioOwnedCNIConfig: true,
          istioOwnedCNIConfigFileName: "01-mesh.conflist",
          logging: { level: "warn" },
          excludeNamespaces: ["kube-system", "istio-system", "other"],
          ambient: { dnsCapture: false, ipv6: false },
          resources: { limits: { cpu: 1 } },
          env: { CAPTURE_BACKEND: "ebpf", LOG_LEVEL: "debug" },
          affinity,
          tolerations: [],
          daemonSetLabels: { d: "e" },
          podLabels: { p: "q" },
          podAnnotations: { r: "s" },
          updateStrategy: { type: "OnDelete" },
          terminationGracePeriodSeconds: 5,
          seccompProfile: { type: "RuntimeDefault" },
          seLinuxOptions: { level: "s0" },
          useAppArmorAnnotation: false,
        },
      },
    },
  },
  {
    name: "parts of the node apart from the control plane",
    spec: {
      profile: "ambient",
      components: { cni: { namespace: "nodes" }, ztunnel: { namespace: "nodes" } },
    },
  },
  {
    name: "everything of ztunnel",
    spec: {
      profile: "ambient",
      values: {
        ztunnel: {
          network: "west",
          caAddress: "ca:1",
          logLevel: "debug",
          logAsJson: true,
          env: { SECRET_TTL: "1h", XDS_ADDRESS: "x:1" },
          meshConfig: { defaultConfig: { proxyMetadata: { ISTIO_META_X: "1", SECRET_TTL: "2h" } } },
          resources: { limits: { memory: "2Gi" } },
          peerCaCrl: { enabled: false },
          labels: { l: "m" },
          annotations: { a: "b" },
          podLabels: { p: "q" },
          podAnnotations: { "prometheus.io/scrape": "false" },
          volumes: [volume],
          volumeMounts: [mount],
          nodeSelector: { pool: "edge" },
          affinity,
          tolerations: [toleration],
          updateStrategy: { type: "OnDelete" },
          terminationGracePeriodSeconds: 300,
          dnsPolicy: "None",
          dnsConfig: { nameservers: ["10.0.0.10"] },
          seLinuxOptions: { type: "spc_t" },
          trustBundleName: "roots",
        },
      },
    },
  },
  {
    name: "kinds that others install",
    spec: {
      values: {
        base: {
          enableIstioConfigCRDs: false,
          gatewayAPICRDs: "never",
          excludedCRDs: ["ratelimitpolicies.meltemi.io"],
        },
        defaultRevision: "",
        global: { enableReaderRBAC: false },
      },
    },
  },
  ...["cluster", "namespace"].map((resourceScope) => ({
    name: `scope ${resourceScope}`,
    spec: {
      profile: "ambient",
      values: { global: { resourceScope, platform: "openshift" }, pilot: { credentialNamespaces: ["a"] } },
    },
  })),
  {
    name: "settings of components",
    spec: {
      profile: "ambient",
      components: {
        pilot: {
          hub: "example.com/pilots",
          k8s: {
            replicaCount: 2,
            resources: { requests: { cpu: "2" } },
            env: [
              { name: "A", value: "b" },
              { name: "C", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
            ],
            nodeSelector: { x: "y" },
            strategy: { rollingUpdate: { maxSurge: "50%", maxUnavailable: 0 } },
          },
        },
        ztunnel: { k8s: { tolerations: [toleration], podAnnotations: { z: "1" } } },
      },
    },
  },
  { name: "another namespace", spec: { profile: "ambient", values: { global: { istioNamespace: "mesh" } } } },
];
