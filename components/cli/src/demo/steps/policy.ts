/** Policy by identity, port and address, also on connections that are already open. */

import type { CommandResult } from "../command.ts";
import { CLIENT, STRANGER, type Stage, type Target, UNMESHED } from "../stage.ts";
import { PAYLOAD } from "./calls.ts";

const POLICY_DEADLINE_MS = 15_000;

function fetchWeb(stage: Stage, from: Target, url = "http://web.shop/"): Promise<CommandResult> {
  return stage.inPod(from, ["curl", "-sS", "-m", "3", url], { timeoutMs: 10_000 });
}

async function reaches(stage: Stage, from: Target, url?: string): Promise<boolean> {
  const result = await fetchWeb(stage, from, url);
  return result.code === 0 && result.stdout.includes(PAYLOAD);
}

/** Waits until `from` is refused; the milliseconds it took since the policy was applied. */
function untilRefused(stage: Stage, from: Target, url?: string): Promise<number> {
  return stage.until(
    "the policy to refuse",
    POLICY_DEADLINE_MS,
    async () => !(await reaches(stage, from, url)),
  );
}

function untilReached(stage: Stage, from: Target, url?: string): Promise<number> {
  return stage.until("the policy to be gone", POLICY_DEADLINE_MS, () => reaches(stage, from, url));
}

export async function showAllowByIdentity(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "ALLOW by identity",
    "A policy names who may call; everyone else is refused, at once.",
  );
  const before = await reaches(stage, STRANGER);
  await stage.shown(["apply", "-f", stage.example("allow-client.yaml")]);
  const refusedMs = await untilRefused(stage, STRANGER);
  const client = await reaches(stage, CLIENT);
  stage.claim({
    claim: "only the allowed service account reaches the server",
    ok: before && client,
    seen: `stranger before: reached; with the policy: refused after ${Math.round(refusedMs)} ms; client: ${client ? "reached" : "REFUSED"}`,
    figures: { enforcedMs: Math.round(refusedMs) },
  });
  await stage.kubectl(["delete", "-f", stage.example("allow-client.yaml")]);
  await untilReached(stage, STRANGER);
}

export async function showDenyByPort(stage: Stage): Promise<void> {
  stage.narrator.chapter("DENY by port", "A policy closes one port and leaves its neighbour open.");
  const admin = "http://web.shop:81/";
  const before = await reaches(stage, CLIENT, admin);
  await stage.shown(["apply", "-f", stage.example("deny-admin-port.yaml")]);
  const refusedMs = await untilRefused(stage, CLIENT, admin);
  const other = await reaches(stage, CLIENT);
  stage.claim({
    claim: "a denied port is closed for everyone, the others stay open",
    ok: before && other,
    seen: `port 81 before: reached; with the policy: refused after ${Math.round(refusedMs)} ms; port 80: ${other ? "reached" : "REFUSED"}`,
  });
  await stage.kubectl(["delete", "-f", stage.example("deny-admin-port.yaml")]);
  await untilReached(stage, CLIENT, admin);
}

export async function showDenyByAddress(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "DENY by address, on a connection that is already open",
    "A policy also ends what it forbids, not only what comes next.",
  );
  const podIp = (
    await stage.kubectl([
      "get",
      "pods",
      "-n",
      "shop",
      "-l",
      "app=client",
      "-o",
      "jsonpath={.items[0].status.podIP}",
    ])
  ).trim();
  const script =
    "exec 3<>/dev/tcp/redis/6379; echo PING >&3; read -t 5 -u 3 one; echo first $one; read -t 20 -u 3 two; echo closed $?";
  const open = stage.inPod(CLIENT, ["bash", "-c", script], { timeoutMs: 40_000 });
  const opened = await stage.until("the Redis connection to be open", POLICY_DEADLINE_MS, async () => {
    const clients = await stage.inPod(STRANGER, ["redis-cli", "-h", "redis", "client", "list"]);
    return clients.stdout.includes("cmd=ping");
  });
  stage.narrator.note(`a connection to Redis is open (seen after ${Math.round(opened)} ms)`);
  const startMs = stage.clock.monotonicMs();
  await stage.kubectl(["apply", "-f", "-"], { input: denyAddress(podIp) });
  const result = await open;
  const closedMs = Math.round(stage.clock.monotonicMs() - startMs);
  const fresh = await stage.inPod(CLIENT, ["redis-cli", "-h", "redis", "ping"], { timeoutMs: 10_000 });
  const other = await stage.inPod(STRANGER, ["redis-cli", "-h", "redis", "ping"]);
  const closed = /first \+PONG[\s\S]*closed 1\b/.test(result.stdout);
  stage.claim({
    claim: "a new DENY closes open connections too, and only those it names",
    ok: closed && !fresh.stdout.includes("PONG") && other.stdout.includes("PONG"),
    seen: `open connection of ${podIp}: ${closed ? `closed after ${closedMs} ms` : result.stdout.trim()}; new one: ${fresh.stdout.includes("PONG") ? "REACHED" : "refused"}; another pod: ${other.stdout.trim()}`,
    figures: { closedMs },
  });
  await stage.kubectl(["delete", "authorizationpolicy", "redis-deny-address", "-n", "shop"]);
}

function denyAddress(podIp: string): string {
  return JSON.stringify({
    apiVersion: "security.istio.io/v1",
    kind: "AuthorizationPolicy",
    metadata: { name: "redis-deny-address", namespace: "shop" },
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
  const before = await reaches(stage, UNMESHED);
  await stage.shown(["apply", "-f", stage.example("strict.yaml")]);
  const refusedMs = await untilRefused(stage, UNMESHED);
  const meshed = await reaches(stage, CLIENT);
  const ready = await stage.kubectl([
    "get",
    "deployment",
    "web",
    "-n",
    "shop",
    "-o",
    "jsonpath={.status.readyReplicas}",
  ]);
  stage.claim({
    claim: "STRICT refuses the unmeshed client, while meshed clients and health probes pass",
    ok: before && meshed && ready.trim() === "1",
    seen: `unmeshed before: reached; with STRICT: refused after ${Math.round(refusedMs)} ms; meshed: ${meshed ? "reached" : "REFUSED"}; probes: ${ready.trim() === "1" ? "pass" : "FAIL"}`,
  });
  await stage.kubectl(["delete", "-f", stage.example("strict.yaml")]);
}
