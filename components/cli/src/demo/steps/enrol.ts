/** Before and after: the link between the nodes carries plaintext, one label later it carries TLS, and nothing restarted. */

import type { Crossing } from "../crossing.ts";
import { HeldConnection } from "../held-connection.ts";
import { watchLink } from "../link-capture.ts";
import { captureSpelling } from "../packet.ts";
import { areSame, isCaptured, podsOf, restartsOf } from "../pods.ts";
import { CLIENT, STRANGER, type Stage } from "../stage.ts";
import { callPrograms, describeCalls, PAYLOAD, PROGRAM_PORTS, timeRequests } from "./calls.ts";

const TIMED_REQUESTS = 40;
const ENROL_DEADLINE_MS = 60_000;
const LABEL = "istio.io/dataplane-mode";

export async function showPlaintext(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Before: plaintext on the wire",
    "What anyone on the network between the nodes can read today.",
  );
  const { calls, times, crossing } = await callUnderWatch(stage);
  stage.claim({
    claim: "the programs talk",
    ok: calls.every((call) => call.ok) && times.failed === 0,
    seen: `${describeCalls(calls)}; ${TIMED_REQUESTS} × curl: median ${times.medianMs} ms, ${times.failed} failed`,
    figures: { plaintextMedianMs: times.medianMs },
  });
  const ports = PROGRAM_PORTS.filter((port) => crossing.packets.has(`tcp/${port}`));
  stage.claim({
    claim: "without the mesh a wiretap between the nodes reads the payload",
    ok: crossing.contains(PAYLOAD) && !crossing.packets.has("tcp/15008"),
    seen: `"${PAYLOAD}" ${crossing.contains(PAYLOAD) ? "found" : "not found"} in ${crossing.bytes} captured bytes; packets by port: ${ports.map((port) => `${port}: ${crossing.packets.get(`tcp/${port}`)}`).join(", ")}`,
  });
}

export async function enrolNamespace(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "One label puts the namespace into the mesh",
    "No pod is restarted, changed or given a sidecar, and no open connection breaks.",
  );
  const before = await podsOf(stage);
  using early = new HeldConnection(stage, CLIENT);
  const answers = [`before the label: ${await early.ping()}`];
  const enrolMs = await follow(stage, "ambient", `kubectl label namespace default ${LABEL}=ambient`);
  const shown = await stage.typed("kubectl get namespace default --show-labels");
  const after = await podsOf(stage);
  const restarts = restartsOf(after);
  const same = areSame(before, after);
  stage.claim({
    claim: "enrolling restarts no pod",
    ok: same && restarts === 0 && shown.includes(`${LABEL}=ambient`),
    seen: `${after.length} pods enrolled in ${enrolMs} ms; same pods: ${same}, restarts: ${restarts}; labels: ${labelsOf(shown)}`,
    figures: { enrolMs, pods: after.length },
  });
  answers.push(`enrolled: ${await early.ping()}`);
  using late = new HeldConnection(stage, STRANGER);
  const lateAnswers = [`opened in the mesh: ${await late.ping()}`];
  for (const mode of ["none", "ambient"] as const) {
    await follow(stage, mode, `kubectl label namespace default --overwrite ${LABEL}=${mode}`);
    const when = mode === "none" ? "taken out" : "enrolled again";
    answers.push(`${when}: ${await early.ping()}`);
    lateAnswers.push(`${when}: ${await late.ping()}`);
  }
  stage.claim({
    claim: "enrolling and un-enrolling break no open connection",
    ok: [...answers, ...lateAnswers].every((each) => each.endsWith(": answers")),
    seen: `one Redis connection: ${answers.join(", ")}; another: ${lateAnswers.join(", ")}`,
  });
}

/** The last column of `--show-labels`. */
function labelsOf(table: string): string {
  return table.trim().split(/\s+/).at(-1) ?? "";
}

/** Labels the namespace and waits until every pod is as it says; in milliseconds. */
async function follow(stage: Stage, mode: "ambient" | "none", line: string): Promise<number> {
  const startMs = stage.clock.monotonicMs();
  await stage.typed(line);
  await stage.until(`every pod of default to follow the label ${mode}`, ENROL_DEADLINE_MS, async () =>
    (await podsOf(stage)).every((pod) => isCaptured(pod) === (mode === "ambient")),
  );
  return Math.round(stage.clock.monotonicMs() - startMs);
}

export async function showEncrypted(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "After: the same calls, nothing but mutual TLS on the wire",
    "The same wiretap now sees one port and no text.",
  );
  await stage.until("the first call through the mesh", ENROL_DEADLINE_MS, async () =>
    (await callPrograms(stage)).every((call) => call.ok),
  );
  const { calls, times, crossing } = await callUnderWatch(stage);
  const beforeMs = stage.figure("plaintextMedianMs") ?? Number.NaN;
  stage.claim({
    claim: "the same programs talk through the mesh, unchanged",
    ok: calls.every((call) => call.ok) && times.failed === 0,
    seen: `${describeCalls(calls)}; ${TIMED_REQUESTS} × curl: median ${beforeMs} ms before, ${times.medianMs} ms now, ${times.failed} failed: the mesh adds ${(times.medianMs - beforeMs).toFixed(2)} ms to a new connection; these calls opened ${crossing.tunnelsOpened} new TLS connections between the pods, the others shared those of the pool`,
    figures: {
      meshMedianMs: times.medianMs,
      plaintextMedianMs: beforeMs,
      tunnelsOpened: crossing.tunnelsOpened,
    },
  });
  const tunnelled = crossing.packets.get("tcp/15008") ?? 0;
  const others = [...crossing.packets].filter(([key]) => key !== "tcp/15008");
  const strays = [...others.map(([key, count]) => `${key}: ${count}`), ...new Set(crossing.elsewhere)];
  const payloadFound = crossing.contains(PAYLOAD);
  stage.claim({
    claim: "only TLS on port 15008 crosses between the pods, and the payload is not to be found",
    ok: !payloadFound && strays.length === 0 && tunnelled > 0 && crossing.tls,
    seen: `packets between the pods on 15008: ${tunnelled}, any other (TCP, UDP, DNS aside): ${strays.length === 0 ? "none" : strays.slice(0, 5).join(", ")}; every byte on 15008 in a TLS record: ${crossing.tls}; payload found: ${payloadFound}`,
    figures: { hbonePackets: tunnelled },
  });
}

interface Watched {
  readonly calls: Awaited<ReturnType<typeof callPrograms>>;
  readonly times: Awaited<ReturnType<typeof timeRequests>>;
  readonly crossing: Crossing;
}

async function callUnderWatch(stage: Stage): Promise<Watched> {
  const addresses = (await podsOf(stage)).flatMap((pod) => pod.status.podIPs ?? []).map(({ ip }) => ip);
  const pods = new Set(addresses.map(captureSpelling));
  const capture = await watchLink(stage.options.link, stage.options.captureFile);
  const talk = async () => ({
    calls: await callPrograms(stage),
    times: await timeRequests(stage, TIMED_REQUESTS),
  });
  // Whatever happens, tcpdump ends and its file goes.
  return talk().then(
    async (results) => ({ ...results, crossing: await capture.stop(pods) }),
    async (error) => {
      await capture.stop(pods);
      throw error;
    },
  );
}
