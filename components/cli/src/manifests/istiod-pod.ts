/** The control plane's Deployment (reference: l7-and-cli §6.3). Pure. */

import { autoscales, fewestReplicas, istiodName, istiodSelector } from "./istiod-names.ts";
import {
  type ChartContext,
  environment,
  filled,
  flag,
  imageOf,
  type Labels,
  list,
  type Manifest,
  ownImage,
  resourcesOf,
  revisionOf,
  revisionSuffix,
  text,
  textMap,
} from "./objects.ts";
import { pick, sortedTree, type Tree, treeAt } from "./tree.ts";

/** OpenShift gives every namespace numbers of its own. */
const USER = { runAsUser: 1337, runAsGroup: 1337 };
const FIELDS = {
  POD_NAME: "metadata.name",
  POD_NAMESPACE: "metadata.namespace",
  SERVICE_ACCOUNT: "spec.serviceAccountName",
};
const EXTRA_ROOTS = "extracacerts";
const PLACEMENT = ["affinity", "nodeSelector", "tolerations", "topologySpreadConstraints"] as const;

export function renderDeployment(context: ChartContext, labels: Labels): Manifest {
  const { values, namespace } = context;
  const annotations = textMap(treeAt(values, "deploymentAnnotations"));
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name: istiodName(values),
      namespace,
      labels: { ...labels, ...textMap(treeAt(values, "deploymentLabels")) },
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    spec: {
      ...(autoscales(context) ? {} : { replicas: fewestReplicas(values) }),
      strategy: {
        type: "RollingUpdate",
        rollingUpdate: {
          maxSurge: values["rollingMaxSurge"],
          maxUnavailable: values["rollingMaxUnavailable"],
        },
      },
      selector: { matchLabels: istiodSelector(values) },
      template: {
        metadata: {
          labels: podLabels(values),
          annotations: {
            "prometheus.io/port": "15014",
            "prometheus.io/scrape": "true",
            ...textMap(treeAt(values, "podAnnotations")),
          },
        },
        spec: podSpec(context),
      },
    },
  };
}

function podLabels(values: Tree): Labels {
  return {
    app: "istiod",
    "app.kubernetes.io/name": "istiod",
    "app.kubernetes.io/part-of": "istio",
    istio: text(values, "revision") === "" ? "pilot" : "istiod",
    "istio.io/dataplane-mode": "none",
    "istio.io/rev": revisionOf(values),
    "operator.istio.io/component": "Pilot",
    "sidecar.istio.io/inject": "false",
    ...textMap(treeAt(values, "podLabels")),
  };
}

function podSpec(context: ChartContext): Tree {
  const { values } = context;
  const roots = { name: `pilot-jwks-extra-cacerts${revisionSuffix(values)}` };
  return {
    serviceAccountName: istiodName(values),
    ...filled("priorityClassName", text(values, "global.priorityClassName")),
    ...filled("nodeSelector", treeAt(values, "nodeSelector")),
    ...filled("affinity", treeAt(values, "affinity")),
    // A node waits for its agent, the agent's pods for certificates, and those for this pod.
    tolerations: [{ key: "cni.istio.io/not-ready", operator: "Exists" }, ...list(values, "tolerations")],
    ...filled("topologySpreadConstraints", list(values, "topologySpreadConstraints")),
    ...filled("initContainers", list(values, "initContainers")),
    containers: [container(context)],
    volumes: [
      { name: "local-certs", emptyDir: { medium: "Memory" } },
      ...(hasExtraRoots(values) ? [{ name: EXTRA_ROOTS, configMap: roots }] : []),
      ...list(values, "volumes"),
    ],
  };
}

function container(context: ChartContext): Tree {
  const { values } = context;
  const ready = { httpGet: { path: "/ready", port: 8080 } };
  const level = text(values, "global.logging.level");
  return {
    name: "discovery",
    image: ownImage(values),
    ...filled("imagePullPolicy", text(values, "global.imagePullPolicy")),
    ...filled("terminationMessagePolicy", text(values, "terminationMessagePolicy")),
    args: [
      "discovery",
      "--monitoringAddr=:15014",
      `--domain=${text(values, "global.proxy.clusterDomain")}`,
      ...(level === "" ? [] : [`--log_output_level=${level}`]),
      ...list(values, "extraContainerArgs"),
    ],
    ports: [
      { name: "http-debug", containerPort: 8080, protocol: "TCP" },
      { name: "tls-xds", containerPort: 15012, protocol: "TCP" },
      { name: "https-webhooks", containerPort: 15017, protocol: "TCP" },
      { name: "http-monitoring", containerPort: 15014, protocol: "TCP" },
    ],
    // Until the first answer, which a large cluster's first listing may delay, the other probes wait.
    startupProbe: { ...ready, periodSeconds: 1, timeoutSeconds: 5, failureThreshold: 600 },
    readinessProbe: { ...ready, periodSeconds: 3, timeoutSeconds: 5 },
    // A process that no longer answers is started anew; one that is merely not ready is not.
    livenessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
    env: [
      ...environment(settingsOf(context), FIELDS, [treeAt(values, "env")]),
      ...list(values, "envVarFrom"),
    ],
    resources: resourcesOf(treeAt(values, "resources")),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      ...(text(values, "platform") === "openshift" ? {} : USER),
      capabilities: { drop: ["ALL"] },
      ...filled("seccompProfile", treeAt(values, "seccompProfile")),
    },
    volumeMounts: [
      { name: "local-certs", mountPath: "/var/run/secrets/istio-dns" },
      ...(hasExtraRoots(values) ? [{ name: EXTRA_ROOTS, mountPath: "/cacerts", readOnly: true }] : []),
      ...list(values, "volumeMounts"),
    ],
  };
}

function hasExtraRoots(values: Tree): boolean {
  return text(values, "jwksResolverExtraRootCA") !== "";
}

function settingsOf({ values, namespace }: ChartContext): Record<string, string> {
  const ztunnel = text(values, "trustedZtunnelName") || "ztunnel";
  const global = treeAt(values, "global");
  const caAddress = text(global, "caAddress");
  return {
    REVISION: revisionOf(values),
    CA_TRUSTED_NODE_ACCOUNTS: `${text(values, "trustedZtunnelNamespace") || namespace}/${ztunnel}`,
    CLUSTER_ID: text(global, "multiCluster.clusterName") || "Kubernetes",
    LOG_FORMAT: flag(global, "logAsJson") ? "json" : "plain",
    WAYPOINT_IMAGE: imageOf(
      text(global, "proxy.image"),
      text(global, "hub"),
      text(global, "tag"),
      text(global, "variant"),
    ),
    WAYPOINT_POD: waypointPod(treeAt(global, "waypoint")),
    WAYPOINT_HIGH_AVAILABILITY: String(flag(global, "waypoint.highAvailability")),
    // As Envoy calls it.
    WAYPOINT_LOG_LEVEL: text(global, "proxy.logLevel").replace("warning", "warn"),
    NETWORK: text(global, "network"),
    ...(caAddress !== "" && { CA_ADDR: caAddress }),
    ...(hasExtraRoots(values) && { NODE_EXTRA_CA_CERTS: "/cacerts/extra.pem" }),
    ...(flag(values, "taint.enabled") && {
      PILOT_ENABLE_NODE_UNTAINT_CONTROLLERS: "true",
      CNI_NAMESPACE: text(values, "taint.namespace") || namespace,
    }),
  };
}

/** Resources and placement of waypoints as JSON, without what is empty; keys as helm sorts them, so that no pod restarts for their order. */
function waypointPod(waypoint: Tree): string {
  const filledOnes = PLACEMENT.map((field) => filled(field, waypoint[field]));
  return JSON.stringify(sortedTree(Object.assign({}, ...filledOnes, pick(waypoint, ["resources"]))));
}
