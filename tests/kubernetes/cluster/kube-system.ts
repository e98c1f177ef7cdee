/** What every cluster has in `kube-system`: here, its DNS server. Pure. */

import { DNS_PROGRAM, TOOLS_IMAGE } from "./images.ts";
import { CLUSTER_DNS } from "./node-plan.ts";

export function kubeSystemObjects(): readonly object[] {
  const metadata = { name: "kube-dns", namespace: "kube-system", labels: { "k8s-app": "kube-dns" } };
  const rbac = "rbac.authorization.k8s.io";
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRole",
      metadata: { name: "system:coredns" },
      rules: [
        { apiGroups: [""], resources: ["services", "namespaces"], verbs: ["list", "watch"] },
        { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] },
      ],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: "system:coredns" },
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "system:coredns" },
      subjects: [{ kind: "ServiceAccount", name: "kube-dns", namespace: "kube-system" }],
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: {
        clusterIP: CLUSTER_DNS,
        selector: { "k8s-app": "kube-dns" },
        ports: [
          { name: "dns", port: 53, protocol: "UDP" },
          { name: "dns-tcp", port: 53, protocol: "TCP" },
        ],
      },
    },
    { apiVersion: "apps/v1", kind: "Deployment", metadata, spec: dnsDeployment() },
  ];
}

function dnsDeployment(): object {
  const labels = { "k8s-app": "kube-dns" };
  return {
    replicas: 2,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: {
        serviceAccountName: "kube-dns",
        priorityClassName: "system-cluster-critical",
        terminationGracePeriodSeconds: 1,
        tolerations: [{ operator: "Exists" }],
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: "kubernetes.io/hostname",
            whenUnsatisfiable: "DoNotSchedule",
            labelSelector: { matchLabels: labels },
          },
        ],
        containers: [
          {
            name: "dns",
            image: TOOLS_IMAGE,
            imagePullPolicy: "IfNotPresent",
            command: ["/usr/bin/node", DNS_PROGRAM],
            readinessProbe: { httpGet: { path: "/", port: 8181, scheme: "HTTP" }, periodSeconds: 1 },
          },
        ],
      },
    },
  };
}
