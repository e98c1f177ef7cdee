/** What happens underneath while traffic flows: certificates rotate, the control plane goes away and comes back. */

import { untilRefused } from "../refusal.ts";
import { CLIENT, type Stage, UNMESHED } from "../stage.ts";
import { Traffic } from "./traffic.ts";

const ROTATION_DEADLINE_MS = 60_000;
/** The old certificate's last request proves nothing about the new one. */
const REQUESTS_AFTER_ROTATION = 20;
const AWAY_DEADLINE_MS = 60_000;
/** So many requests must be served while there is no control plane at all. */
const REQUESTS_WHILE_AWAY = 60;

export async function showRotation(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Certificates rotate under traffic",
    "A certificate is replaced while requests flow, and none is lost.",
  );
  const podIp = await stage.podAddress("web");
  const before = await servedSerial(stage, podIp);
  using traffic = new Traffic(stage);
  let after = "";
  const rotatedMs = await stage.until("a new certificate", ROTATION_DEADLINE_MS, async () => {
    after = await servedSerial(stage, podIp);
    return after !== "" && after !== before;
  });
  const renewedAtMs = stage.clock.nowMs();
  await stage.until(
    "requests with the new certificate",
    ROTATION_DEADLINE_MS,
    async () => traffic.count(renewedAtMs).sent >= REQUESTS_AFTER_ROTATION,
  );
  const { sent, failed } = await traffic.stop();
  stage.claim({
    claim: "certificates rotate without a failed request",
    ok: before !== "" && failed === 0 && sent > REQUESTS_AFTER_ROTATION,
    seen: `serial ${before} became ${after} within ${Math.round(rotatedMs / 1000)} s; ${sent} requests meanwhile, ${failed} failed`,
    fields: {
      "serial before": before,
      "serial after": `${after} (waited ${Math.round(rotatedMs / 1000)} s)`,
      "requests meanwhile": `${sent}, ${failed} failed`,
    },
    figures: { sent, failed },
  });
}

/**
 * Serial number of the web server's workload certificate, asked of its port 15008 itself:
 * a TLS 1.3 server shows its certificate before it refuses a caller that has none.
 */
async function servedSerial(stage: Stage, podIp: string): Promise<string> {
  const script = `openssl s_client -connect ${podIp}:15008 </dev/null 2>/dev/null | openssl x509 -noout -serial`;
  const result = await stage.inPod(UNMESHED, ["sh", "-c", script]);
  return /serial=([0-9A-F]+)/.exec(result.stdout)?.[1] ?? "";
}

export async function showControlPlaneAway(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "The control plane goes away and comes back",
    "Traffic does not need the control plane; policies flow again when it is back.",
  );
  using traffic = new Traffic(stage);
  await scaleControlPlane(stage, 0);
  const goneMs = await stage.until("the control plane to be gone", AWAY_DEADLINE_MS, () => isAway(stage));
  const fromMs = stage.clock.nowMs();
  await stage.until(
    "requests while it is away",
    AWAY_DEADLINE_MS,
    async () => traffic.count(fromMs).sent >= REQUESTS_WHILE_AWAY,
  );
  const stillAway = await isAway(stage);
  const toMs = stage.clock.nowMs();
  await scaleControlPlane(stage, 1);
  const backMs = await stage.until("the control plane to be back", AWAY_DEADLINE_MS, async () => {
    const path = "jsonpath={.status.readyReplicas}";
    const ready = await stage.kubectl(["get", "deployment", "istiod", "-n", "istio-system", "-o", path]);
    return ready.trim() === "1";
  });
  const change = await showChangeArrives(stage);
  const all = await traffic.stop();
  const away = traffic.count(fromMs, toMs);
  stage.claim({
    claim: "the mesh serves on without a control plane, and not a request is lost",
    ok: stillAway && away.sent >= REQUESTS_WHILE_AWAY && all.failed === 0,
    seen: `no istiod after ${Math.round(goneMs)} ms, and for ${Math.round(toMs - fromMs)} ms: ${away.sent} requests in that time, ${away.failed} failed; ${all.sent} with its going and coming, ${all.failed} failed`,
    figures: {
      sent: all.sent,
      sentWhileAway: away.sent,
      failed: all.failed,
      awayMs: Math.round(toMs - fromMs),
    },
  });
  stage.claim({
    claim: "a change made after its return is in force",
    ok: change.exitCode !== 0,
    seen: `istiod ready ${Math.round(backMs)} ms after it was asked for; the next policy held after ${change.afterMs} ms (access log: "${change.reason}")`,
    figures: { backMs: Math.round(backMs), changeMs: change.afterMs },
  });
}

function scaleControlPlane(stage: Stage, replicas: 0 | 1): Promise<string> {
  return stage.typed(`kubectl scale deployment istiod -n istio-system --replicas=${replicas}`);
}

/** No pod of it is there any more, not even one that ends. */
async function isAway(stage: Stage): Promise<boolean> {
  const pods = await stage.kubectl(["get", "pods", "-n", "istio-system", "-l", "app=istiod", "-o", "name"]);
  return pods.trim() === "";
}

/** A policy that spares the traffic on port 80. */
async function showChangeArrives(stage: Stage): ReturnType<typeof untilRefused> {
  const policy = ["-f", stage.example("deny-admin-port.yaml")];
  await stage.kubectl(["apply", ...policy]);
  const reason = "explicitly denied by: default/web-deny-admin-port";
  const change = await untilRefused(stage, {
    from: CLIENT,
    url: "http://web.default:81/",
    reason,
    port: 8081,
  });
  await stage.kubectl(["delete", ...policy]);
  return change;
}
