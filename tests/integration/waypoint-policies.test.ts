/** Policies at a waypoint that runs: what they do to connections that are open, and what is told when nobody judges. */

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { test } from "node:test";
import type { ExternalAuthorizer, RequestPolicy } from "@meltemi/model/l7";
import { eventually } from "@meltemi/testkit";
import { Scene, servedOf } from "./waypoint.fixture.ts";

/** Echoes bytes, behind an upgrade or without one. */
async function echo(scene: Scene, upgrades: boolean): Promise<void> {
  const carry = (socket: Socket): void => void socket.on("error", () => undefined).pipe(socket);
  const accepted = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
  const http = createServer().on("upgrade", (_request, socket) => {
    socket.write(accepted);
    carry(socket as Socket);
  });
  const server = await scene.listen("0.0.0.0", 0, (socket) => {
    if (!upgrades) return void carry(socket);
    http.emit("connection", socket);
    socket.resume();
    return undefined;
  });
  const pod = scene.endpoint("echo", "127.0.1.31", (server.address() as AddressInfo).port);
  await scene.nodeProxy(pod);
  scene.put(pod);
}

async function open(
  port: number,
  greeting: string,
): Promise<{ readonly socket: Socket; readonly said: () => string }> {
  const socket = connect({ port, host: "127.0.0.1" });
  socket.on("error", () => undefined);
  let received = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    received += text;
  });
  socket.write(greeting);
  await eventually(() => received.length > 0);
  return { socket, said: () => received };
}

function policy(action: RequestPolicy["action"], principal: string): RequestPolicy {
  const source = {
    principals: [principal],
    notPrincipals: [],
    requestPrincipals: [],
    notRequestPrincipals: [],
    namespaces: [],
    notNamespaces: [],
    serviceAccounts: [],
    notServiceAccounts: [],
    ipBlocks: [],
    notIpBlocks: [],
    remoteIpBlocks: [],
    notRemoteIpBlocks: [],
    trustDomains: [],
    notTrustDomains: [],
  };
  const rules = [{ from: [source], to: [], when: [] }];
  return { namespace: "default", name: "p", action, dryRun: false, rules };
}

const UPGRADE = "GET /chat HTTP/1.1\r\nhost: reviews\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
const CLIENT = "cluster.local/ns/default/sa/client";

for (const [name, port, greeting] of [
  ["TCP connection", 82, "hello"],
  ["upgraded request", 80, UPGRADE],
] as const)
  test(`an open ${name} ends when its client's identity is denied, and not before`, async () => {
    await using scene = await Scene.start();
    await echo(scene, port === 80);
    const { socket, said } = await open(await scene.entry(`10.96.0.1:${port}`), greeting);
    const before = said().length;
    scene.serve(servedOf({ policies: [policy("deny", "cluster.local/ns/default/sa/somebody-else")] }));
    scene.serve(servedOf({ policies: [policy("allow", CLIENT)] }));
    socket.write("still here");
    await eventually(() => said().length === before + "still here".length);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    scene.serve(servedOf({ policies: [policy("deny", CLIENT)] }));
    await closed;
  });

test("an authorizer that is away and fails open is counted and told; the build is told, too", async () => {
  const authorizer: ExternalAuthorizer = {
    name: "opa",
    protocol: "grpc",
    cluster: "outbound|9000||opa.default.svc.cluster.local",
    timeoutMs: 1000,
    pathPrefix: "",
    failOpen: true,
    statusOnError: 403,
    clearRouteCache: false,
    includeRequestHeaders: [],
    includeAdditionalHeaders: [],
    headersToUpstreamOnAllow: [],
    headersToDownstreamOnDeny: [],
    headersToDownstreamOnAllow: [],
  };
  await using scene = await Scene.start({ authorizers: [authorizer] });
  await echo(scene, false);
  scene.serve(servedOf({ policies: [policy({ provider: "opa" }, CLIENT)] }));
  const { socket } = await open(await scene.entry("10.96.0.1:82"), "hello");
  socket.destroy();
  const metrics = scene.registry.exposition(undefined).body;
  assert.match(metrics, /^envoy_ext_authz_tcp_failure_mode_allowed\{provider="opa"\} 1$/m);
  assert.match(metrics, /^istio_build\{component="proxy",tag="unknown"\} 1$/m);
  const told = scene.lines.filter((line) => line.includes("passed without a verdict"));
  assert.equal(told.length, 1);
  assert.match(told[0] ?? "", /ext_authz.*opa.*no cluster outbound/);
});
