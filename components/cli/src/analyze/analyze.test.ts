/** Each code: objects that it is said of, and the same objects put right. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ObjectSet, readObject } from "../mesh-objects/object-set.ts";
import { analyze, parseSuppression } from "./analyze.ts";
import { formatMessage } from "./message.ts";

type Fields = Readonly<Record<string, unknown>>;

const API_VERSIONS: Readonly<Record<string, string>> = {
  AuthorizationPolicy: "security.istio.io/v1",
  HTTPRoute: "gateway.networking.k8s.io/v1",
  Gateway: "gateway.networking.k8s.io/v1",
};

function object(kind: string, name: string, rest: Fields = {}, metadata: Fields = {}): Fields {
  const namespace = kind === "Namespace" ? {} : { namespace: "shop" };
  return {
    apiVersion: API_VERSIONS[kind] ?? "v1",
    kind,
    metadata: { name, ...namespace, ...metadata },
    ...rest,
  };
}

const ambient = object("Namespace", "shop", {}, { labels: { "istio.io/dataplane-mode": "ambient" } });
const pod = object(
  "Pod",
  "p",
  { spec: { nodeName: "n" }, status: { phase: "Running" } },
  { labels: { app: "a" }, annotations: { "ambient.istio.io/redirection": "enabled" } },
);
const ports = [{ name: "http", port: 80 }];
const service = object("Service", "s", { spec: { selector: { app: "a" }, ports } });
const bound = object(
  "Service",
  "s",
  { spec: { selector: { app: "a" }, ports } },
  { labels: { "istio.io/use-waypoint": "w" } },
);
const waypoint = object("Gateway", "w", { spec: { gatewayClassName: "istio-waypoint" } });
const workloads = object(
  "Gateway",
  "w",
  { spec: { gatewayClassName: "istio-waypoint" } },
  { labels: { "istio.io/waypoint-for": "workload" } },
);
const httpRoute = object("HTTPRoute", "r", { spec: { parentRefs: [{ kind: "Service", name: "s" }] } });
const virtual = (name: string, spec: Fields = {}): Fields =>
  object("VirtualService", name, { spec: { hosts: ["s"], ...spec } });
const policy = (spec: Fields): Fields => object("AuthorizationPolicy", "a", { spec });
const selector = { matchLabels: { app: "a" } };
const from = (source: Fields): Fields => ({ rules: [{ from: [{ source }] }] });
const sidecar = object(
  "Pod",
  "old",
  { spec: {}, status: { phase: "Running" } },
  { annotations: { "sidecar.istio.io/status": "{}" } },
);
const labelled = (labels: Fields): Fields => object("Namespace", "shop", {}, { labels });
const network = (ingress: readonly Fields[]): Fields =>
  object("NetworkPolicy", "n", { spec: { podSelector: {}, ingress } });
const rule = (spec: Fields): Fields => object("DestinationRule", "d", { spec: { host: "s", ...spec } });
const condition = (type: string, status: string): Fields =>
  object("AuthorizationPolicy", "a", {
    status: { conditions: [{ type, status, reason: "R", message: "m" }] },
  });

interface Case {
  readonly code: string;
  readonly bad: readonly Fields[];
  readonly good: readonly Fields[];
}

const CASES: readonly Case[] = [
  { code: "IST0101", bad: [bound], good: [bound, waypoint] },
  {
    code: "IST0101",
    bad: [policy({ targetRefs: [{ kind: "Service", name: "s" }] })],
    good: [policy({ targetRefs: [{ kind: "Service", name: "s" }] }), bound, waypoint],
  },
  { code: "IST0101", bad: [httpRoute], good: [httpRoute, bound, waypoint] },
  {
    code: "IST0101",
    bad: [virtual("v", { http: [{ route: [{ destination: { host: "gone" } }] }] }), bound, waypoint],
    good: [
      virtual("v", { http: [{ route: [{ destination: { host: "s.shop.svc.cluster.local" } }] }] }),
      bound,
      waypoint,
    ],
  },
  { code: "IST0102", bad: [labelled({}), pod], good: [labelled({ "istio.io/dataplane-mode": "none" }), pod] },
  {
    code: "IST0103",
    bad: [ambient, object("Pod", "p", { status: { phase: "Running" } })],
    good: [ambient, pod],
  },
  {
    code: "IST0103",
    bad: [labelled({ "istio-injection": "enabled" }), object("Pod", "p", { status: { phase: "Running" } })],
    good: [labelled({ "istio-injection": "enabled" }), sidecar],
  },
  {
    code: "IST0109",
    bad: [virtual("v"), virtual("w", { hosts: ["s.shop.svc.cluster.local"] }), bound, waypoint],
    good: [virtual("v"), virtual("w", { gateways: ["g"] }), bound, waypoint],
  },
  {
    code: "IST0112",
    bad: [
      virtual("v", { tcp: [{ route: [{ destination: { host: "s" } }] }] }),
      object("Service", "s", { spec: { ports: [...ports, { name: "http-b", port: 81 }] } }),
    ],
    good: [
      virtual("v", { tcp: [{ route: [{ destination: { host: "s", port: { number: 80 } } }] }] }),
      object("Service", "s", { spec: { ports: [...ports, { name: "http-b", port: 81 }] } }),
    ],
  },
  {
    code: "IST0118",
    bad: [object("Service", "s", { spec: { ports: [{ name: "web", port: 80 }] } })],
    good: [object("Service", "s", { spec: { ports: [{ name: "web", appProtocol: "http", port: 80 }] } })],
  },
  {
    code: "IST0123",
    bad: [labelled({ "istio-injection": "disabled", "istio.io/rev": "a" })],
    good: [labelled({ "istio-injection": "disabled" })],
  },
  { code: "IST0127", bad: [policy({ selector })], good: [policy({ selector }), pod] },
  {
    code: "IST0128",
    bad: [rule({ trafficPolicy: { tls: { mode: "SIMPLE" } } }), service],
    good: [rule({ trafficPolicy: { tls: { mode: "SIMPLE", caCertificates: "/x" } } }), service],
  },
  {
    code: "IST0130",
    bad: [virtual("v", { http: [{}, { match: [{}] }] }), service],
    good: [virtual("v", { http: [{ match: [{}] }, {}] }), service],
  },
  {
    code: "IST0166",
    bad: [
      policy({ selector }),
      object("Pod", "p", {}, { labels: { app: "a", "gateway.networking.k8s.io/gateway-name": "w" } }),
    ],
    good: [policy({ selector }), pod],
  },
  {
    code: "IST0167",
    bad: [ambient, object("Sidecar", "x", { spec: {} })],
    good: [labelled({}), object("Sidecar", "x", { spec: {} })],
  },
  {
    code: "IST0167",
    bad: [ambient, pod, object("EnvoyFilter", "x", { spec: { workloadSelector: { labels: { app: "a" } } } })],
    good: [
      ambient,
      pod,
      object("EnvoyFilter", "x", { spec: { targetRefs: [{ kind: "Gateway", name: "w" }] } }),
    ],
  },
  {
    code: "IST0171",
    bad: [condition("ZtunnelAccepted", "False")],
    good: [condition("ZtunnelAccepted", "True")],
  },
  {
    code: "IST0173",
    bad: [rule({ subsets: [{ name: "v1", labels: { version: "v1" } }] }), service, pod],
    good: [rule({ subsets: [{ name: "v1", labels: { app: "a" } }] }), service, pod],
  },
  { code: "IST0174", bad: [rule({ host: "gone" })], good: [rule({}), service] },
  { code: "MLT0001", bad: [waypoint], good: [waypoint, labelled({ "istio.io/use-waypoint": "w" })] },
  {
    code: "MLT0002",
    bad: [ambient, pod, network([{ ports: [{ port: 80 }] }])],
    good: [
      ambient,
      pod,
      network([{ ports: [{ port: 80 }] }, { ports: [{ port: 15_000, endPort: 16_000, protocol: "TCP" }] }]),
    ],
  },
  {
    code: "MLT0002",
    bad: [ambient, pod, network([{ ports: [{ port: 15_008, protocol: "UDP" }] }])],
    good: [ambient, pod, network([])],
  },
  {
    code: "MLT0003",
    bad: [policy({ targetRefs: [{ kind: "Service", name: "s" }] }), service],
    good: [policy({ targetRefs: [{ kind: "Service", name: "s" }] }), bound, waypoint],
  },
  {
    code: "MLT0003",
    bad: [ambient, pod, object("RequestAuthentication", "j", { spec: { selector } })],
    good: [labelled({}), pod, object("RequestAuthentication", "j", { spec: { selector } })],
  },
  {
    code: "MLT0003",
    bad: [ambient, pod, policy({ selector, rules: [{ to: [{ operation: { paths: ["/a"] } }] }] })],
    good: [ambient, pod, policy({ selector, rules: [{ to: [{ operation: { ports: ["80"] } }] }] })],
  },
  {
    code: "MLT0004",
    bad: [ambient, pod, service, httpRoute],
    good: [ambient, pod, bound, waypoint, httpRoute],
  },
  { code: "MLT0005", bad: [sidecar, bound, waypoint], good: [pod, bound, waypoint] },
  {
    code: "MLT0006",
    bad: [
      ambient,
      pod,
      bound,
      waypoint,
      policy({ selector, ...from({ principals: ["cluster.local/ns/shop/sa/client"] }) }),
    ],
    good: [
      ambient,
      pod,
      bound,
      waypoint,
      policy({ selector, ...from({ principals: ["cluster.local/ns/shop/sa/w"] }) }),
    ],
  },
  {
    code: "MLT0006",
    bad: [ambient, pod, bound, waypoint, policy({ selector, ...from({ namespaces: ["other"] }) })],
    good: [ambient, pod, bound, waypoint, policy({ selector, rules: [{}] })],
  },
  { code: "MLT0007", bad: [bound, waypoint, httpRoute, virtual("v")], good: [bound, waypoint, httpRoute] },
  {
    code: "MLT0008",
    bad: [labelled({ "istio-injection": "enabled", "istio.io/dataplane-mode": "ambient" })],
    good: [labelled({ "istio-injection": "disabled", "istio.io/dataplane-mode": "ambient" })],
  },
  {
    code: "MLT0008",
    bad: [
      labelled({ "istio.io/rev": "old", "istio.io/dataplane-mode": "ambient" }),
      object("Pod", "p", {}, { annotations: { "sidecar.istio.io/status": "{}" } }),
    ],
    good: [labelled({ "istio.io/rev": "canary", "istio.io/dataplane-mode": "ambient" }), pod],
  },
  {
    code: "MLT0009",
    bad: [
      object(
        "Service",
        "s",
        { spec: { ports: [{ port: 80 }] } },
        { labels: { "istio.io/use-waypoint": "w" } },
      ),
      waypoint,
    ],
    good: [bound, waypoint],
  },
  {
    code: "MLT0010",
    bad: [ambient, object("ServiceEntry", "e", { spec: { hosts: ["x"], exportTo: ["."] } })],
    good: [ambient, object("ServiceEntry", "e", { spec: { hosts: ["x"], exportTo: ["*"] } })],
  },
  {
    code: "MLT0011",
    bad: [ambient, pod, policy({ selector, ...from({ trustDomains: ["x"] }) })],
    good: [ambient, pod, policy({ selector, ...from({ namespaces: ["x"] }) })],
  },
  {
    code: "MLT0012",
    bad: [
      ambient,
      object("Deployment", "d", {
        spec: { template: { metadata: { annotations: { "sidecar.istio.io/proxyCPU": "1" } } } },
      }),
    ],
    good: [
      ambient,
      object("Deployment", "d", {
        spec: { template: { metadata: { annotations: { "sidecar.istio.io/inject": "false" } } } },
      }),
      object(
        "Deployment",
        "waypoint",
        { spec: { template: { metadata: { annotations: { "sidecar.istio.io/proxyImage": "x" } } } } },
        { labels: { "gateway.istio.io/managed": "istio.io-mesh-controller" } },
      ),
    ],
  },
  { code: "MLT0013", bad: [bound, workloads], good: [bound, waypoint] },
];

function messagesOf(objects: readonly Fields[], hasCluster = true) {
  const set = new ObjectSet(objects.map((one) => readObject(one)).filter((one) => one !== undefined));
  return analyze(
    { objects: set, rootNamespace: "istio-system", hasCluster },
    { namespace: undefined, analyzers: [], outputThreshold: "Info", suppressions: [] },
  );
}

for (const [index, { code, bad, good }] of CASES.entries())
  test(`${code} (${index})`, () => {
    const codes = (objects: readonly Fields[]): readonly string[] =>
      messagesOf(objects).map(({ type }) => type.code);
    assert.ok(codes(bad).includes(code), `said of what is wrong: ${codes(bad)}`);
    assert.ok(
      !codes(good).includes(code),
      `not said of what is right: ${messagesOf(good).map(formatMessage).join("; ")}`,
    );
  });

test("a schema is checked", () => {
  const wrong = { apiVersion: "security.istio.io/v1", ...policy({ action: "PERHAPS" }) };
  assert.match(
    messagesOf([wrong]).map(formatMessage).join(),
    /^Error \[IST0106\] \(AuthorizationPolicy shop\/a\) Schema validation error: spec\.action: /,
  );
});

test("the worst comes first, and thresholds, namespaces, suppressions hold back the rest", () => {
  const objects = [
    labelled({ "istio-injection": "enabled", "istio.io/rev": "a" }),
    bound,
    object("Service", "t", { spec: { ports: [{ name: "x", port: 1 }] } }),
  ];
  const set = new ObjectSet(objects.map((one) => readObject(one)).filter((one) => one !== undefined));
  const codes = (given: object): readonly string[] =>
    analyze(
      { objects: set, rootNamespace: "istio-system", hasCluster: true },
      { namespace: undefined, analyzers: [], outputThreshold: "Info", suppressions: [], ...given },
    ).map(({ type }) => type.code);
  assert.deepEqual(codes({}), ["IST0101", "IST0123", "IST0118"]);
  assert.deepEqual(codes({ outputThreshold: "Warning" }), ["IST0101", "IST0123"]);
  assert.deepEqual(codes({ namespace: "other" }), []);
  assert.deepEqual(codes({ namespace: "shop" }), ["IST0101", "IST0123", "IST0118"]);
  assert.deepEqual(codes({ suppressions: [parseSuppression("IST0101=Service s.*")] }), [
    "IST0123",
    "IST0118",
  ]);
  assert.deepEqual(codes({ analyzers: ["service.PortNameAnalyzer"] }), ["IST0118"]);
  assert.throws(
    () => codes({ analyzers: ["service.PortNameAnalyser"] }),
    /did you mean service\.PortNameAnalyzer\?/,
  );
});

test("a port without a name is told as one without", () => {
  const [{ text = "" } = {}] = messagesOf([object("Service", "s", { spec: { ports: [{ port: 80 }] } })]);
  assert.match(text, /^Port name \(none\) \(port: 80, targetPort: 80\) doesn't follow/);
});

test("an object may ask to be left alone", () => {
  const annotations = { "galley.istio.io/analyze-suppress": "IST0101, IST0118" };
  const quiet = object("Service", "s", { spec: { ports: [{ name: "x", port: 1 }] } }, { annotations });
  assert.deepEqual(messagesOf([quiet]), []);
});

test("of files alone, what is not in them is not missed", () => {
  assert.deepEqual(messagesOf([bound, httpRoute, policy({ selector })], false), []);
});

for (const text of ["", "IST0101", "0101=x", "IST0101=", "IST01011=x"])
  test(`no suppression: ${JSON.stringify(text)}`, () =>
    assert.throws(() => parseSuppression(text), { code: "INPUT_INVALID" }));

test("files alone tell of a missing host in a namespace of which they hold Services", () => {
  const to = (host: string): Fields =>
    virtual("v", { hosts: ["s"], http: [{ route: [{ destination: { host } }] }] });
  const found = (...objects: readonly Fields[]): readonly string[] =>
    messagesOf(objects, false)
      .filter(({ type }) => type.code === "IST0101")
      .map(formatMessage);
  assert.match(found(to("nope"), service).join(), /Referenced host not found: "nope"/);
  assert.equal(found(to("nope.shop.svc.cluster.local"), service).length, 1);
  for (const host of ["s", "nope.elsewhere.svc.cluster.local", "api.example.com"])
    assert.deepEqual(found(to(host), service), [], host);
  assert.deepEqual(found(to("nope")), []);
});
