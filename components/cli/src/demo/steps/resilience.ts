/** What happens underneath while traffic flows: certificates rotate, the control plane dies and comes back. */

import { CLIENT, type Stage, UNMESHED } from "../stage.ts";

const ROTATION_DEADLINE_MS = 60_000;
const RETURN_DEADLINE_MS = 60_000;

interface Traffic {
  /** Stops the loop and counts. */
  stop(): Promise<{ readonly sent: number; readonly failed: number }>;
}

/** A loop of new connections in the client pod, until its stop file appears. The pause keeps it near 20 requests a second. */
function startTraffic(stage: Stage, name: string): Traffic {
  const stopFile = `/tmp/stop-${name}`;
  const script = `rm -f ${stopFile}; while [ ! -e ${stopFile} ]; do curl -sS -o /dev/null -m 5 -w '%{http_code}\\n' http://web/ 2>&1 || echo failed; sleep 0.03; done`;
  const running = stage.inPod(CLIENT, ["sh", "-c", script], { timeoutMs: 300_000 });
  return {
    async stop() {
      await stage.inPod(CLIENT, ["touch", stopFile]);
      const lines = (await running).stdout.trim().split("\n");
      return { sent: lines.length, failed: lines.filter((line) => line !== "200").length };
    },
  };
}

export async function showRotation(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Certificates rotate under traffic",
    "A certificate is replaced while requests flow, and none is lost.",
  );
  const before = await servedSerial(stage);
  const traffic = startTraffic(stage, "rotation");
  const rotatedMs = await stage.until("a new certificate", ROTATION_DEADLINE_MS, async () => {
    const now = await servedSerial(stage);
    return now !== "" && now !== before;
  });
  const { sent, failed } = await traffic.stop();
  const after = await servedSerial(stage);
  stage.claim({
    claim: "certificates rotate without a failed request",
    ok: before !== "" && failed === 0 && sent > 0,
    seen: `serial ${before} became ${after} within ${Math.round(rotatedMs / 1000)} s; ${sent} requests meanwhile, ${failed} failed`,
    figures: { sent, failed },
  });
}

/**
 * Serial number of the web server's workload certificate, asked of its port 15008 itself:
 * a TLS 1.3 server shows its certificate before it refuses a caller that has none.
 */
async function servedSerial(stage: Stage): Promise<string> {
  const podIp = await stage.kubectl([
    "get",
    "pods",
    "-n",
    "shop",
    "-l",
    "app=web",
    "-o",
    "jsonpath={.items[0].status.podIP}",
  ]);
  const script = `openssl s_client -connect ${podIp.trim()}:15008 </dev/null 2>/dev/null | openssl x509 -noout -serial`;
  const result = await stage.inPod(UNMESHED, ["sh", "-c", script]);
  return /serial=([0-9A-F]+)/.exec(result.stdout)?.[1] ?? "";
}

export async function showControlPlaneAway(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "The control plane dies and comes back",
    "Traffic does not need the control plane; policies flow again when it is back.",
  );
  const traffic = startTraffic(stage, "control-plane");
  await stage.shown([
    "delete",
    "pod",
    "-n",
    "istio-system",
    "-l",
    "app=istiod",
    "--grace-period=0",
    "--force",
  ]);
  const backMs = await stage.until("the control plane to be back", RETURN_DEADLINE_MS, async () => {
    const text = await stage.kubectl([
      "get",
      "deployment",
      "istiod",
      "-n",
      "istio-system",
      "-o",
      "jsonpath={.status.readyReplicas}",
    ]);
    return text.trim() === "1";
  });
  const appliedMs = await showChangeArrives(stage);
  const { sent, failed } = await traffic.stop();
  stage.claim({
    claim: "the mesh runs on without its control plane, and not a request is lost",
    ok: failed === 0 && sent > 0,
    seen: `istiod was killed and ready again after ${Math.round(backMs)} ms, the next policy held after ${Math.round(appliedMs)} ms; ${sent} requests meanwhile, ${failed} failed`,
    figures: { sent, failed, backMs: Math.round(backMs) },
  });
}

/** A change after the return must reach the proxies again: milliseconds until a policy that spares the traffic was in force. */
async function showChangeArrives(stage: Stage): Promise<number> {
  const policy = ["-f", stage.example("deny-admin-port.yaml")];
  await stage.kubectl(["apply", ...policy]);
  const ms = await stage.until("the proxies to hear of a new policy", RETURN_DEADLINE_MS, async () => {
    const result = await stage.inPod(CLIENT, ["curl", "-sS", "-m", "2", "-o", "/dev/null", "http://web:81/"]);
    return result.code !== 0;
  });
  await stage.kubectl(["delete", ...policy]);
  return ms;
}
