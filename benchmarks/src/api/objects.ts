/** The objects of the scene: programs without a mesh of their own, and what is changed about them. */

import { fileURLToPath } from "node:url";
import type { CustomObject, DaemonSet, Deployment, Namespace, Pod, Service } from "@meltemi/kubernetes";

/** Of the client, the server that policies are for, and the service behind the waypoint. */
export const HOME = "bench";
export const ENROLMENT_LABEL = "istio.io/dataplane-mode";
/** Set by the node agent once the pod's traffic is captured. */
export const REDIRECTION = "ambient.istio.io/redirection";
export const SERVER_PORT = 8080;
/** The probing client's folder, seen from the pod. */
const SOCKET_FOLDER = "/run/bench";
const PROBER = fileURLToPath(new URL("./prober.worker.ts", import.meta.url));

/**
 * Answers one request a connection. Perl, an essential package of Debian, because a hundred of them take a hundredth of
 * the CPU time and a tenth of the memory of Node: what is measured is the mesh.
 */
const SERVER_PROGRAM = String.raw`
use Socket;
$SIG{TERM} = sub { exit };
$SIG{PIPE} = "IGNORE";
socket(my $door, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
setsockopt($door, SOL_SOCKET, SO_REUSEADDR, 1) or die "reuse: $!";
bind($door, sockaddr_in(${SERVER_PORT}, INADDR_ANY)) or die "bind: $!";
listen($door, 512) or die "listen: $!";
while (accept(my $caller, $door)) {
  sysread($caller, my $request, 4096);
  syswrite($caller, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nConnection: close\r\n\r\nmeltemi\n");
  close($caller);
}`;

/** The version is in a label so that nothing but its absence says that a namespace is outside. */
export function namespace(name: string, inMesh: boolean): Namespace {
  return { metadata: { name, ...(inMesh && { labels: { [ENROLMENT_LABEL]: "ambient" } }) } };
}

/** Put on the node by the benchmark itself: where a scheduler puts it is not the question. */
export function serverPod(inNamespace: string, name: string, nodeName: string): Pod {
  return {
    metadata: { namespace: inNamespace, name, labels: { app: "server" } },
    spec: {
      nodeName,
      terminationGracePeriodSeconds: 1,
      containers: [{ name: "main", image: "localhost/host", command: ["perl", "-e", SERVER_PROGRAM] }],
    },
  };
}

/** `folder` of the machine: its socket is there. */
export function clientPod(folder: string, nodeName: string): Pod {
  const container = {
    name: "main",
    image: "localhost/host",
    command: [process.execPath, PROBER, `${SOCKET_FOLDER}/prober.sock`],
    volumeMounts: [{ name: "socket", mountPath: SOCKET_FOLDER }],
  };
  return {
    metadata: { namespace: HOME, name: "client", labels: { app: "client" } },
    spec: {
      nodeName,
      terminationGracePeriodSeconds: 1,
      containers: [container],
      volumes: [{ name: "socket", hostPath: { path: folder, type: "Directory" } }],
    },
  };
}

export const webService: Service = {
  metadata: { namespace: HOME, name: "web", labels: { "istio.io/use-waypoint": "waypoint" } },
  spec: { selector: { app: "server" }, ports: [{ name: "http", port: 80, targetPort: SERVER_PORT }] },
};

/** Nobody of the client's namespace may connect to the server. */
export const denial: CustomObject = {
  metadata: { namespace: HOME, name: "no-one" },
  spec: {
    selector: { matchLabels: { app: "server" } },
    action: "DENY",
    rules: [{ from: [{ source: { namespaces: [HOME] } }] }],
  },
};

/** Its answers carry the mark. */
export function markedRoute(mark: string): CustomObject {
  const set = [{ name: "x-bench", value: mark }];
  return {
    metadata: { namespace: HOME, name: "web" },
    spec: {
      parentRefs: [{ group: "", kind: "Service", name: "web", port: 80 }],
      rules: [
        {
          filters: [{ type: "ResponseHeaderModifier", responseHeaderModifier: { set } }],
          backendRefs: [{ name: "web", port: 80 }],
        },
      ],
    },
  };
}

/** As many workloads of the same kinds as the mesh has, of a program that does nothing and needs nothing. */
export function bareShape(inNamespace: string): {
  readonly deployment: Deployment;
  readonly daemonSets: readonly DaemonSet[];
} {
  const template = (app: string): Deployment["spec"] => ({
    selector: { matchLabels: { app } },
    template: {
      metadata: { labels: { app } },
      spec: {
        terminationGracePeriodSeconds: 1,
        containers: [{ name: "main", image: "localhost/host", command: ["sleep", "infinity"] }],
      },
    },
  });
  const daemonSet = (name: string): DaemonSet => ({
    metadata: { namespace: inNamespace, name },
    spec: template(name) as NonNullable<DaemonSet["spec"]>,
  });
  return {
    deployment: {
      metadata: { namespace: inNamespace, name: "control" },
      spec: template("control") as NonNullable<Deployment["spec"]>,
    },
    daemonSets: [daemonSet("agent"), daemonSet("proxy")],
  };
}
