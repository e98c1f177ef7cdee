import assert from "node:assert/strict";
import { test } from "node:test";
import { describeError, MeshError } from "@meltemi/runtime";
import { explainClusterError } from "./explain-cluster-error.ts";

const SERVER = "https://10.0.0.1:6443";
const refused = (status: number, message: string): MeshError =>
  new MeshError("FORBIDDEN", message, { details: { status, reason: "Forbidden" } });
const unreachable = (cause: unknown): MeshError =>
  new MeshError("UNAVAILABLE", "GET /version: no answer", { cause });
const system = (code: string): Error => Object.assign(new Error(code), { code });

const CASES = [
  {
    name: "not permitted",
    error: refused(
      403,
      'apply namespaces a: HTTP 403 Forbidden: namespaces "a" is forbidden: User "u" cannot patch.',
    ),
    want: /^the API server at https:\/\/10\.0\.0\.1:6443 does not permit this: namespaces "a" is forbidden: User "u" cannot patch\. Choose/,
  },
  {
    name: "not permitted, and how to check it",
    error: refused(
      403,
      'list deployments: HTTP 403 Forbidden: deployments.apps is forbidden: User "u" cannot list resource "deployments" in API group "apps" in the namespace "shop"',
    ),
    want: /Check with: kubectl auth can-i list deployments\.apps -n shop\. Choose/,
  },
  {
    name: "not permitted in a part of all namespaces",
    error: refused(
      403,
      'exec: HTTP 403 Forbidden: pods "p" is forbidden: User "u" cannot create resource "pods/exec" in API group ""',
    ),
    want: /can-i create pods --subresource=exec -A\. Choose/,
  },
  {
    name: "a kind that is not served",
    error: refused(
      404,
      "list authorizationpolicies: HTTP 404 NotFound: the server could not find the requested resource",
    ),
    want: /has no authorizationpolicies: its CustomResourceDefinition is missing\. `istioctl install` brings/,
  },
  {
    name: "an object that is not there",
    error: refused(404, 'delete pods a/b: HTTP 404 NotFound: pods "b" not found'),
    want: /^delete pods a\/b: HTTP 404 NotFound: pods "b" not found$/,
  },
  {
    name: "not known",
    error: refused(401, "list pods: HTTP 401 Unauthorized"),
    want: /does not know you .*expired$/,
  },
  {
    name: "nothing listens",
    error: unreachable(system("ECONNREFUSED")),
    want: /cannot reach .*:6443: nothing listens there\. Is/,
  },
  {
    name: "several addresses",
    error: unreachable(new AggregateError([system("ECONNREFUSED")])),
    want: /nothing listens there/,
  },
  {
    name: "another authority",
    error: unreachable(system("SELF_SIGNED_CERT_IN_CHAIN")),
    want: /not of the authority/,
  },
  {
    name: "silence",
    error: new MeshError("TIMEOUT", "GET /version: no answer within 30000 ms"),
    want: /does not answer/,
  },
  {
    name: "a server in trouble",
    error: refused(500, "list pods: HTTP 500 x"),
    want: /^list pods: HTTP 500 x$/,
  },
  {
    name: "pods that are not ready",
    error: new MeshError("TIMEOUT", "install CNI: not ready"),
    want: /^install CNI: not ready$/,
  },
  { name: "something else", error: new Error("x"), want: /^x$/ },
];
for (const { name, error, want } of CASES)
  test(`explainClusterError: ${name}`, () =>
    assert.match(describeError(explainClusterError(error, SERVER)), want));
