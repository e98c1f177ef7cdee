/** Waypoints on a real cluster: one that the mesh makes itself, and what it does with requests. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { bearer, ISSUER, JWKS } from "../network-namespaces/l7-tokens.fixture.ts";
import { apply, kubectl } from "./cluster/cluster.ts";
import { ensureMesh, mesh, skip } from "./mesh.fixture.ts";
import { call, deployWorkloads, joinMesh, leaveMesh, podLives, SHOP } from "./workloads.fixture.ts";

const CHANGE = { deadlineMs: 30_000, everyMs: 200 } as const;
const URL = `http://web.${SHOP}/`;
const toService = [{ group: "", kind: "Service", name: "web" }];
const object = (group: string, kind: string, name: string, spec: object): object => ({
  apiVersion: `${group}/v1`,
  kind,
  metadata: { name, namespace: SHOP },
  spec,
});

before(async () => {
  if (skip !== false) return;
  await deployWorkloads();
  await ensureMesh();
  await joinMesh();
});

after(async () => {
  if (skip !== false) return;
  await kubectl("delete", "httproutes,authorizationpolicies,requestauthentications", "--all", "-n", SHOP);
  await mesh("waypoint", "delete", "--all", "-n", SHOP);
  await kubectl("label", "namespace", SHOP, "istio.io/use-waypoint-");
  await kubectl(
    "wait",
    "--for=delete",
    "pod",
    "-l",
    "gateway.networking.k8s.io/gateway-name",
    "-n",
    SHOP,
    "--timeout=60s",
  );
  await leaveMesh();
});

test("the mesh makes a waypoint where one is asked for, and requests go through it", { skip }, async () => {
  const lives = await podLives();
  const said = await mesh("waypoint", "apply", "-n", SHOP, "--enroll-namespace", "--wait");
  assert.match(said, /waypoint shop\/waypoint is ready!/);
  await eventually(async () => (await call("client")).headers["x-envoy-attempt-count"] === "1", CHANGE);
  const { headers } = await call("client");
  assert.equal(
    headers["x-forwarded-client-cert"],
    `By=spiffe://cluster.local/ns/${SHOP}/sa/waypoint;URI=spiffe://cluster.local/ns/${SHOP}/sa/client`,
  );
  const now = await podLives();
  for (const [name, life] of Object.entries(lives)) assert.equal(now[name], life);
});

test("a route sends some requests to the new version, by a header", { skip }, async () => {
  const toVersion = (version: string): object[] => [{ name: `web-${version}`, port: 80 }];
  const canary = { headers: [{ name: "x-canary", value: "yes" }] };
  await apply([
    object("gateway.networking.k8s.io", "HTTPRoute", "canary", {
      parentRefs: toService,
      rules: [{ matches: [canary], backendRefs: toVersion("v2") }, { backendRefs: toVersion("v1") }],
    }),
  ]);
  const versions = async (headers: Record<string, string>): Promise<string> => {
    const answers = await Promise.all(Array.from({ length: 5 }, () => call("client", URL, headers)));
    return [...new Set(answers.map(({ version }) => version))].join();
  };
  await eventually(async () => (await versions({})) === "v1", CHANGE);
  assert.equal(await versions({ "x-canary": "yes" }), "v2");
});

test("a policy of methods and paths is enforced, with an answer", { skip }, async () => {
  const from = [{ source: { principals: [`cluster.local/ns/${SHOP}/sa/client`] } }];
  await apply([
    object("security.istio.io", "AuthorizationPolicy", "paths", {
      targetRefs: toService,
      action: "ALLOW",
      rules: [{ from, to: [{ operation: { methods: ["GET"], paths: ["/open*"] } }] }],
    }),
  ]);
  await eventually(async () => (await call("client", `${URL}closed`)).status === 403, CHANGE);
  assert.equal((await call("client", `${URL}open`)).status, 200);
  const refused = await call("stranger", `${URL}open`);
  assert.equal(refused.status, 403);
  assert.match(refused.text, /RBAC: access denied/);
  await kubectl("delete", "authorizationpolicy", "paths", "-n", SHOP);
});

test("tokens are checked, and their claims decide", { skip }, async () => {
  await apply([
    object("security.istio.io", "RequestAuthentication", "tokens", {
      targetRefs: toService,
      jwtRules: [{ issuer: ISSUER, jwks: JWKS }],
    }),
    object("security.istio.io", "AuthorizationPolicy", "claims", {
      targetRefs: toService,
      action: "ALLOW",
      rules: [{ when: [{ key: "request.auth.claims[role]", values: ["buyer"] }] }],
    }),
  ]);
  await eventually(async () => (await call("client")).status === 403, CHANGE);
  assert.equal((await call("client", URL, bearer({ role: "buyer" }))).status, 200);
  assert.equal((await call("client", URL, bearer({ role: "guest" }))).status, 403);
  assert.equal((await call("client", URL, { Authorization: "Bearer a.b.c" })).status, 401);
});
