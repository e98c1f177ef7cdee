/** Of routes and waypoints that are required or gone: what is said, and that it is said once. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ObjectSet, readObject } from "../mesh-objects/object-set.ts";
import { analyze } from "./analyze.ts";
import { formatMessage, type Message } from "./message.ts";

type Fields = Readonly<Record<string, unknown>>;

const GROUPS: Readonly<Record<string, string>> = {
  AuthorizationPolicy: "security.istio.io/v1",
  HTTPRoute: "gateway.networking.k8s.io/v1",
  Gateway: "gateway.networking.k8s.io/v1",
};

function object(kind: string, name: string, rest: Fields = {}, metadata: Fields = {}): Fields {
  const namespace = kind === "Namespace" ? {} : { namespace: "shop" };
  return { apiVersion: GROUPS[kind] ?? "v1", kind, metadata: { name, ...namespace, ...metadata }, ...rest };
}

const labelled = (labels: Fields): Fields => object("Namespace", "shop", {}, { labels });
const ambient = labelled({ "istio.io/dataplane-mode": "ambient" });
const pod = object(
  "Pod",
  "p",
  { spec: { nodeName: "n" }, status: { phase: "Running" } },
  { labels: { app: "a" }, annotations: { "ambient.istio.io/redirection": "enabled" } },
);
const ports = [{ name: "http", port: 80 }];
const spec = { selector: { app: "a" }, ports };
const service = object("Service", "s", { spec });
const bound = object("Service", "s", { spec }, { labels: { "istio.io/use-waypoint": "w" } });
const waypoint = object("Gateway", "w", { spec: { gatewayClassName: "istio-waypoint" } });
const REQUIRED = "meltemi.io/waypoint-required";
const demanding = (value: string, reason?: string): Fields =>
  object(
    "Service",
    "s",
    {
      spec: { selector: { app: "a" }, ports },
      ...(reason !== undefined && {
        status: {
          conditions: [{ type: "meltemi.io/WaypointRequired", status: "True", reason, message: "m" }],
        },
      }),
    },
    { labels: { "istio.io/use-waypoint": "w" }, annotations: { [REQUIRED]: value } },
  );
const withBackend = (name: string): Fields =>
  object("HTTPRoute", "r", {
    spec: { parentRefs: [{ kind: "Service", name: "s" }], rules: [{ backendRefs: [{ name, port: 80 }] }] },
  });

interface Case {
  readonly code: string;
  readonly bad: readonly Fields[];
  readonly good: readonly Fields[];
}

const CASES: readonly Case[] = [
  { code: "IST0101", bad: [withBackend("gone"), bound, waypoint], good: [withBackend("s"), bound, waypoint] },
  {
    code: "MLT0015",
    bad: [demanding("true", "NoUsableWaypoint"), waypoint],
    good: [demanding("true", "Enforced"), waypoint],
  },
  { code: "MLT0015", bad: [ambient, demanding("true")], good: [ambient, demanding("false")] },
  {
    code: "MLT0016",
    bad: [ambient, pod, demanding("true", "WorkloadsNotInMesh"), waypoint],
    good: [ambient, pod, demanding("true"), waypoint],
  },
  {
    code: "MLT0016",
    bad: [labelled({}), pod, demanding("true"), waypoint],
    good: [labelled({}), bound, waypoint],
  },
  { code: "MLT0017", bad: [demanding("yes"), waypoint], good: [demanding("true"), waypoint] },
];

function messagesOf(objects: readonly Fields[], hasCluster = true): readonly Message[] {
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
    assert.ok(!codes(good).includes(code), messagesOf(good).map(formatMessage).join("; "));
  });

test("a required waypoint that is not there is not called unready", () => {
  const text = messagesOf([labelled({}), demanding("true", "NoUsableWaypoint")])
    .map(formatMessage)
    .join("\n");
  assert.match(text, /its waypoint is required, and shop\/w is not there: all connections/i);
});

test("of files alone, what their own namespaces lack is missed", () => {
  assert.deepEqual(messagesOf([service, withBackend("gone")], false).map(formatMessage), [
    'Error [IST0101] (HTTPRoute shop/r) Referenced backend not found: "shop/gone"',
  ]);
});

test("a waypoint that was deleted is told of once, with what follows from it", () => {
  const named = labelled({ "istio.io/dataplane-mode": "ambient", "istio.io/use-waypoint": "w" });
  const conditions = [{ type: "istio.io/WaypointBound", status: "False", reason: "R", message: "m" }];
  const refused = [{ type: "WaypointAccepted", status: "False", reason: "R", message: "m" }];
  const said = messagesOf([
    named,
    pod,
    { ...service, status: { conditions } },
    withBackend("s"),
    {
      ...object("AuthorizationPolicy", "a", {
        spec: { targetRefs: [{ kind: "Service", name: "s" }], rules: [{}] },
      }),
      status: { conditions: refused },
    },
  ]);
  assert.deepEqual(said.map(formatMessage), [
    'Error [IST0101] (Namespace shop) Referenced waypoint not found: "shop/w". It is that of s; without effect: HTTPRoute r, AuthorizationPolicy a',
  ]);
});
