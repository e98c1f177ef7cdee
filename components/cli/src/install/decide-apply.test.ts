import assert from "node:assert/strict";
import { test } from "node:test";
import { decideApply } from "./decide-apply.ts";

const definition = (name: string) => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name },
});
const GATEWAYS = "gateways.gateway.networking.k8s.io";
const bundle = (version: string, channel = "standard") => ({
  "gateway.networking.k8s.io/bundle-version": version,
  "gateway.networking.k8s.io/channel": channel,
});
const rendered = { ...definition(GATEWAYS), metadata: { name: GATEWAYS, annotations: bundle("v1.4.0") } };
const own = (version: string, channel?: string) => ({
  metadata: { ...OWN.metadata, annotations: bundle(version, channel) },
});
const OWN = { metadata: { labels: { "install.operator.istio.io/owning-resource": "installed-state" } } };
const THEIRS = { metadata: { annotations: { "gateway.networking.k8s.io/bundle-version": "v1.5.0" } } };

const CASES = [
  { name: "Gateway API is missing", object: definition(GATEWAYS), found: undefined, want: "apply" },
  { name: "Gateway API is ours", object: definition(GATEWAYS), found: OWN, want: "apply" },
  {
    name: "Gateway API is theirs",
    object: definition(GATEWAYS),
    found: THEIRS,
    want: "installed by somebody else (Gateway API v1.5.0)",
  },
  { name: "ours, as before", object: rendered, found: own("v1.4.0"), want: "apply" },
  { name: "ours, older", object: rendered, found: own("v1.3.9"), want: "apply" },
  {
    name: "a newer one was put over ours",
    object: rendered,
    found: own("v1.5.0"),
    want: "installed by somebody else (Gateway API v1.5.0)",
  },
  {
    name: "the other channel was put over ours",
    object: rendered,
    found: own("v1.4.0", "experimental"),
    want: "installed by somebody else (Gateway API v1.4.0)",
  },
  {
    name: "a development version was put over ours",
    object: rendered,
    found: own("main-dev"),
    want: "installed by somebody else (Gateway API main-dev)",
  },
  {
    name: "Gateway API of unknown origin",
    object: definition(GATEWAYS),
    found: {},
    want: "installed by somebody else",
  },
  {
    name: "Istio's own, from another installer",
    object: definition("gateways.networking.istio.io"),
    found: {},
    want: "apply",
  },
  {
    name: "any other object",
    object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "istio" } },
    found: {},
    want: "apply",
  },
];
for (const { name, object, found, want } of CASES) {
  test(`decideApply: ${name}`, () => {
    const got = decideApply(object, found);
    assert.equal(got.kind === "leave" ? got.why : got.kind, want);
  });
}

const namespaceWith = (labels?: Record<string, string>) => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name: "istio-system", ...(labels !== undefined && { labels }) },
});
const ENFORCE = "pod-security.kubernetes.io/enforce";
const ADMISSIONS = [
  {
    name: "kept for another revision's node parts",
    object: namespaceWith(),
    want: { [ENFORCE]: "privileged" },
  },
  {
    name: "kept beside what is rendered",
    object: namespaceWith({ network: "n" }),
    want: { network: "n", [ENFORCE]: "privileged" },
  },
  { name: "written where rendered", object: namespaceWith({ [ENFORCE]: "x" }), want: { [ENFORCE]: "x" } },
  { name: "of a namespace alone", object: { ...namespaceWith(), kind: "ConfigMap" }, want: undefined },
];
for (const { name, object, want } of ADMISSIONS)
  test(`what a namespace admits: ${name}`, () => {
    const got = decideApply(object, namespaceWith({ [ENFORCE]: "privileged", other: "x" }));
    assert.deepEqual(got.kind === "apply" ? got.object.metadata.labels : got, want);
  });
