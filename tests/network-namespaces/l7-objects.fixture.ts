/** The Kubernetes objects of the tests of waypoints: who serves, who calls, and short forms of routes. */

/** Of the servers and the waypoint. */
export const APPS = "apps";
/** Callers of another namespace, in the mesh. */
export const CONSUMER = "consumer";
/** Not in the mesh. */
export const OUTSIDE = "outside";

export const AMBIENT: Readonly<Record<string, string>> = { "istio.io/dataplane-mode": "ambient" };

export const namespace = (name: string, labels: Readonly<Record<string, string>> = {}): object => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
});

const account = (name: string, namespace: string): object => ({
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: { name, namespace },
});

export const secretOf = (name: string, stringData: Readonly<Record<string, string>>): object => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { name, namespace: APPS },
  stringData,
});

export interface Program {
  readonly name: string;
  readonly namespace?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly node: string;
  readonly replicas?: number;
  readonly container: object;
  readonly volumes?: readonly object[];
  readonly podLabels?: Readonly<Record<string, string>>;
}

/** A Deployment and its ServiceAccount, both of that name. */
function program(of: Program): readonly object[] {
  const { name, labels, node, container, volumes = [], namespace = APPS, replicas = 1 } = of;
  return [
    account(name, namespace),
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, namespace },
      spec: {
        replicas,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels: { ...labels, ...of.podLabels } },
          spec: {
            serviceAccountName: name,
            nodeSelector: { "kubernetes.io/hostname": node },
            terminationGracePeriodSeconds: 2,
            containers: [container],
            volumes,
          },
        },
      },
    },
  ];
}

/** The ports of every echo: what the Services below name. */
const SERVE = ["serve", "http=8080", "grpc=7070", "tcp=9090"];

export interface EchoOptions extends Partial<Program> {
  readonly serve?: readonly string[];
  readonly env?: readonly object[];
  readonly volumeMounts?: readonly object[];
}

/** An echo of a version: label `app: echo`, unless other labels are given. */
export function echo(
  name: string,
  version: string,
  node: string,
  options: EchoOptions = {},
): readonly object[] {
  const { serve = [], env = [], volumeMounts = [], ...rest } = options;
  return program({
    name,
    labels: { app: "echo", version },
    node,
    container: {
      name: "echo",
      image: "localhost/echo",
      args: [...SERVE, ...serve],
      env: [
        { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
        { name: "VERSION", value: version },
        ...env,
      ],
      volumeMounts,
      readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
    },
    ...rest,
  });
}

export const callerProgram = (name: string, namespace: string, node: string): readonly object[] =>
  program({
    name,
    namespace,
    labels: { app: name },
    node,
    container: { name: "shell", image: "localhost/host", command: ["sleep", "infinity"] },
  });

const PORTS: readonly object[] = [
  { name: "http", port: 80, targetPort: 8080 },
  { name: "http-direct", port: 8080, targetPort: 8080 },
  { name: "auto", port: 81, targetPort: 8080 },
  { name: "http2", port: 85, targetPort: 8080, appProtocol: "kubernetes.io/h2c" },
  { name: "tcp-for-http", port: 86, targetPort: 8080 },
  { name: "http-tls", port: 88, targetPort: 8443 },
  { name: "http-proxied", port: 89, targetPort: 8081 },
  { name: "tls", port: 443, targetPort: 8443 },
  { name: "grpc", port: 7070, targetPort: 7070 },
  { name: "auto-grpc", port: 7071, targetPort: 7070 },
  { name: "tcp", port: 9090, targetPort: 9090 },
  { name: "auto-tcp", port: 9092, targetPort: 9090 },
];

export interface ServiceOptions {
  readonly namespace?: string;
  readonly selector?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ports?: readonly object[];
}

export const service = (name: string, options: ServiceOptions = {}): object => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: {
    name,
    namespace: options.namespace ?? APPS,
    labels: options.labels ?? {},
    annotations: options.annotations ?? {},
  },
  spec: { selector: options.selector ?? { app: "echo" }, ports: options.ports ?? PORTS },
});

type RouteKind = "HTTPRoute" | "GRPCRoute" | "TCPRoute" | "TLSRoute";

export interface RouteOptions {
  readonly kind?: RouteKind;
  readonly name?: string;
  readonly namespace?: string;
  /** Of the Service; absent: every port. */
  readonly port?: number;
  readonly hostnames?: readonly string[];
}

/** A route of Gateway API whose parent is a Service of `apps`. */
export function route(parent: string, rules: readonly object[], options: RouteOptions = {}): object {
  const { kind = "HTTPRoute", name = parent, namespace = APPS, port, hostnames } = options;
  const apiVersion = kind === "TCPRoute" || kind === "TLSRoute" ? "v1alpha2" : "v1";
  const to = { group: "", kind: "Service", name: parent, ...(namespace === APPS ? {} : { namespace: APPS }) };
  return {
    apiVersion: `gateway.networking.k8s.io/${apiVersion}`,
    kind,
    metadata: { name, namespace },
    spec: {
      parentRefs: [port === undefined ? to : { ...to, port }],
      ...(hostnames === undefined ? {} : { hostnames }),
      rules,
    },
  };
}

export const backend = (name: string, port: number, more: object = {}): object => ({ name, port, ...more });
export const fields = (all: Readonly<Record<string, string>>): readonly object[] =>
  Object.entries(all).map(([name, value]) => ({ name, value }));

export const requestHeaders = (edit: object): object => ({
  type: "RequestHeaderModifier",
  requestHeaderModifier: edit,
});
export const prefix = (value: string): object => ({ path: { type: "PathPrefix", value } });

const istio = (kind: string, group: string, name: string, spec: object, annotations = {}): object => ({
  apiVersion: `${group}.istio.io/v1`,
  kind,
  metadata: { name, namespace: APPS, annotations },
  spec,
});

export const virtualService = (host: string, spec: object): object =>
  istio("VirtualService", "networking", host, { hosts: [host], ...spec });

/** A VirtualService with one rule that sends everything to its own host. */
export const virtualHttp = (host: string, rule: object): object =>
  virtualService(host, { http: [{ route: [{ destination: { host } }], ...rule }] });

/** Destinations of a VirtualService. */
export const to = (host: string, more: object = {}): object => ({ destination: { host }, ...more });
export const toSubset = (host: string, subset: string, more: object = {}): object => ({
  destination: { host, subset },
  ...more,
});

export const destinationRule = (host: string, spec: object): object =>
  istio("DestinationRule", "networking", host, { host, ...spec });

export const SUBSETS: readonly object[] = ["v1", "v2"].map((version) => ({
  name: version,
  labels: { version },
}));

const targeting = (name: string): object => ({ targetRefs: [{ group: "", kind: "Service", name }] });

export const authorization = (
  target: string,
  spec: object,
  name: string = target,
  annotations: object = {},
): object => istio("AuthorizationPolicy", "security", name, { ...targeting(target), ...spec }, annotations);

export const requestAuthentication = (target: string, spec: object): object =>
  istio("RequestAuthentication", "security", target, { ...targeting(target), ...spec });

export const telemetry = (target: string, spec: object): object =>
  istio("Telemetry", "telemetry", target, { ...targeting(target), ...spec });

export const rateLimit = (target: string, limits: readonly object[]): object => ({
  apiVersion: "meltemi.io/v1alpha1",
  kind: "RateLimitPolicy",
  metadata: { name: target, namespace: APPS },
  spec: { ...targeting(target), limits },
});

export const serviceEntry = (name: string, spec: object, labels: object = {}): object => ({
  apiVersion: "networking.istio.io/v1",
  kind: "ServiceEntry",
  metadata: { name, namespace: APPS, labels },
  spec,
});
