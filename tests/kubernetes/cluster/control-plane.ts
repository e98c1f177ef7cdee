/** Command lines of Kubernetes' control plane: the same for an API server alone and for the whole cluster. Pure. */

import { join } from "node:path";
import { FILES } from "./credentials.ts";
import type { ProgramName } from "./versions.ts";

/** As kubeadm has it. */
const SERVICE_RANGE = "10.96.0.0/16";
const POD_RANGE = "10.244.0.0/16";

export interface CommandLine {
  readonly program: string;
  readonly args: readonly string[];
}

/** Where programs are: in the cache for this machine, in `/usr` for the cluster's. */
export interface ProgramPaths {
  program(name: ProgramName): string;
  /** Of a Debian package, by its path without the first slash. */
  debian(path: string): string;
}

export interface EtcdPlace {
  readonly dataFolder: string;
  readonly clientUrl: string;
  readonly peerUrl: string;
}

export function etcd(paths: ProgramPaths, { dataFolder, clientUrl, peerUrl }: EtcdPlace): CommandLine {
  return {
    program: paths.debian("usr/bin/etcd"),
    args: flags({
      "data-dir": dataFolder,
      "listen-client-urls": clientUrl,
      "advertise-client-urls": clientUrl,
      "listen-peer-urls": peerUrl,
      "initial-advertise-peer-urls": peerUrl,
      "initial-cluster": `default=${peerUrl}`,
      logger: "zap",
      "log-level": "warn",
    }),
  };
}

export interface ApiServerPlace {
  /** Of credentials. */
  readonly folder: string;
  readonly address: string;
  readonly port: number;
  readonly etcdUrl: string;
  /** Alone on a loopback address, no pod reaches it: Service `kubernetes` then has no endpoints. */
  readonly alone: boolean;
}

export function apiServer(
  paths: ProgramPaths,
  place: ApiServerPlace,
  more: Readonly<Record<string, string>> = {},
): CommandLine {
  const file = (name: keyof typeof FILES): string => join(place.folder, FILES[name]);
  return {
    program: paths.program("kube-apiserver"),
    args: flags({
      "etcd-servers": place.etcdUrl,
      "bind-address": place.address,
      "advertise-address": place.address,
      "endpoint-reconciler-type": place.alone ? "none" : "lease",
      "secure-port": String(place.port),
      "insecure-port": "0",
      "tls-cert-file": file("serverCert"),
      "tls-private-key-file": file("serverKey"),
      "client-ca-file": file("caCert"),
      "token-auth-file": file("tokens"),
      "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
      "service-account-signing-key-file": file("serviceAccountKey"),
      "service-account-key-file": file("serviceAccountPublicKey"),
      "service-cluster-ip-range": SERVICE_RANGE,
      "authorization-mode": "Node,RBAC",
      "enable-admission-plugins": "NodeRestriction",
      "allow-privileged": "true",
      // Webhooks are called at their pods: the machine of the control plane has no kube-proxy.
      "enable-aggregator-routing": "true",
      "kubelet-client-certificate": file("kubeletClientCert"),
      "kubelet-client-key": file("kubeletClientKey"),
      // Names of nodes are in no DNS.
      "kubelet-preferred-address-types": "InternalIP",
      ...more,
    }),
  };
}

export interface KubeconfigPlace {
  readonly folder: string;
  readonly kubeconfig: string;
}

export function controllerManager(paths: ProgramPaths, { folder, kubeconfig }: KubeconfigPlace): CommandLine {
  return {
    program: paths.program("kube-controller-manager"),
    args: flags({
      kubeconfig,
      "bind-address": "127.0.0.1",
      port: "0",
      // One cluster runs beside another: nobody scrapes these.
      "secure-port": "0",
      "leader-elect": "false",
      "use-service-account-credentials": "true",
      "service-account-private-key-file": join(folder, FILES.serviceAccountKey),
      "root-ca-file": join(folder, FILES.caCert),
      "cluster-cidr": POD_RANGE,
      // Each node is told its range, and so are the others.
      "allocate-node-cidrs": "false",
      "service-cluster-ip-range": SERVICE_RANGE,
      controllers: "*",
      // A node that was cut off is told so soon: tests wait for it.
      "node-monitor-grace-period": "12s",
      "node-monitor-period": "2s",
    }),
  };
}

export function scheduler(paths: ProgramPaths, kubeconfig: string): CommandLine {
  return {
    program: paths.program("kube-scheduler"),
    args: flags({
      kubeconfig,
      "bind-address": "127.0.0.1",
      port: "0",
      "secure-port": "0",
      "leader-elect": "false",
    }),
  };
}

function flags(values: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(values).map(([name, value]) => `--${name}=${value}`);
}
