/** Policy by identity, port and address, also on connections that are already open. */

import { HeldConnection } from "../held-connection.ts";
import { callWeb, describeOutcome, type Refusal, untilRefused } from "../refusal.ts";
import { CLIENT, STRANGER, type Stage, type Target, UNMESHED } from "../stage.ts";

const POLICY_DEADLINE_MS = 15_000;
const WEB_PORT = 8080;
const ADMIN_PORT = 8081;

function untilReached(stage: Stage, from: Target, url?: string): Promise<number> {
  return stage.until(
    "the policy to be gone",
    POLICY_DEADLINE_MS,
    async () => (await callWeb(stage, from, url)).kind === "reached",
  );
}

function describeRefusal({ afterMs, exitCode, reason }: Refusal): string {
  return `cut after ${afterMs} ms (curl exit ${exitCode}; access log: "${reason}")`;
}

export async function showAllowByIdentity(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "ALLOW by identity",
    "A policy names who may call; everyone else is refused, at once.",
  );
  const before = await callWeb(stage, STRANGER);
  await stage.typed(`kubectl apply -f ${stage.example("allow-client.yaml")}`);
  const reason = "allow policies exist, but none allowed";
  const refusal = await untilRefused(stage, { from: STRANGER, reason, port: WEB_PORT });
  const client = await callWeb(stage, CLIENT);
  stage.claim({
    claim: "only the allowed service account reaches the server",
    ok: before.kind === "reached" && client.kind === "reached",
    seen: `stranger before: ${describeOutcome(before)}; with the policy: ${describeRefusal(refusal)}; client: ${describeOutcome(client)}`,
    figures: { enforcedMs: refusal.afterMs },
  });
  await stage.kubectl(["delete", "-f", stage.example("allow-client.yaml")]);
  await untilReached(stage, STRANGER);
}

export async function showDenyByPort(stage: Stage): Promise<void> {
  stage.narrator.chapter("DENY by port", "A policy closes one port and leaves its neighbour open.");
  const url = "http://web.default:81/";
  const before = await callWeb(stage, CLIENT, url);
  await stage.typed(`kubectl apply -f ${stage.example("deny-admin-port.yaml")}`);
  const reason = "explicitly denied by: default/web-deny-admin-port";
  const refusal = await untilRefused(stage, { from: CLIENT, url, reason, port: ADMIN_PORT });
  const other = await callWeb(stage, CLIENT);
  stage.claim({
    claim: "a denied port is closed, its neighbour stays open",
    ok: before.kind === "reached" && other.kind === "reached",
    seen: `port 81 before: ${describeOutcome(before)}; with the policy: ${describeRefusal(refusal)}; port 80: ${describeOutcome(other)}`,
  });
  await stage.kubectl(["delete", "-f", stage.example("deny-admin-port.yaml")]);
  await untilReached(stage, CLIENT, url);
}

export async function showDenyByAddress(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "DENY by address, on a connection that is already open",
    "A policy also ends what it forbids, not only what comes next, and nothing else.",
  );
  const podIp = await stage.podAddress("client");
  using denied = new HeldConnection(stage, CLIENT);
  using other = new HeldConnection(stage, STRANGER);
  const before = [await denied.ping(), await other.ping()];
  stage.narrator.note(`two connections to Redis are open; the one of ${podIp} is about to be denied`);
  const closing = denied.untilClosed();
  const startMs = stage.clock.monotonicMs();
  await stage.kubectl(["apply", "-f", "-"], { input: denyAddress(podIp) });
  const end = await closing;
  const closedMs = Math.round(stage.clock.monotonicMs() - startMs);
  const kept = await other.ping();
  const fresh = await stage.inPod(CLIENT, ["redis-cli", "-h", "redis", "ping"], { timeoutMs: 10_000 });
  const freshRefused = /reset by peer|closed the connection/i.test(fresh.stdout + fresh.stderr);
  stage.claim({
    claim: "a new DENY closes the open connections that it names, and only those",
    ok: before.every((each) => each === "answers") && end === "closed" && kept === "answers" && freshRefused,
    seen: `before: both open connections: ${before.join(", ")}; with the policy: that of ${podIp}: ${end} after ${closedMs} ms, that of the other pod: ${kept}; a new one of ${podIp}: ${freshRefused ? "reset" : `NOT RESET (${(fresh.stdout + fresh.stderr).trim().slice(0, 160)})`}`,
    figures: { closedMs },
  });
  await stage.kubectl(["delete", "authorizationpolicy", "redis-deny-address", "-n", "default"]);
}

function denyAddress(podIp: string): string {
  return JSON.stringify({
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "redis-deny-address", namespace: "default" },
    spec: {
      selector: { matchLabels: { app: "redis" } },
      action: "DENY",
      rules: [{ from: [{ source: { ipBlocks: [podIp] } }] }],
    },
  });
}

export async function showStrict(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "STRICT: no plaintext from outside the mesh",
    "Who is not in the mesh stays out, while the node's health probes pass.",
  );
  const before = await callWeb(stage, UNMESHED);
  await stage.typed(`kubectl apply -f ${stage.example("strict.yaml")}`);
  // The name that Istio gives to what it makes of a PeerAuthentication.
  const reason = "explicitly denied by: istio-system/istio_converted_static_strict";
  const refusal = await untilRefused(stage, { from: UNMESHED, reason, port: WEB_PORT });
  const meshed = await callWeb(stage, CLIENT);
  const path = "jsonpath={.status.readyReplicas}";
  const ready = await stage.kubectl(["get", "deployment", "web", "-n", "default", "-o", path]);
  stage.claim({
    claim: "STRICT refuses the unmeshed client, while meshed clients and health probes pass",
    ok: before.kind === "reached" && meshed.kind === "reached" && ready.trim() === "1",
    seen: `unmeshed before: ${describeOutcome(before)}; with STRICT: ${describeRefusal(refusal)}; meshed: ${describeOutcome(meshed)}; ready replicas of web: ${ready.trim() || "0"}`,
  });
  await stage.kubectl(["delete", "-f", stage.example("strict.yaml")]);
  await untilReached(stage, UNMESHED);
}
