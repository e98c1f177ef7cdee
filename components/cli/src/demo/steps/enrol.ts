/** Before and after: the link between the nodes carries plaintext, one label later it carries TLS, and nothing restarted. */

import { type Crossing, watchLink } from "../link-capture.ts";
import type { Stage } from "../stage.ts";
import { callPrograms, describeCalls, PAYLOAD, PROGRAM_PORTS, timeRequests } from "./calls.ts";

const TIMED_REQUESTS = 40;
const ENROL_DEADLINE_MS = 60_000;

interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly status: { readonly containerStatuses?: readonly { readonly restartCount: number }[] };
}

export async function showPlaintext(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Before: plaintext on the wire",
    "What anyone on the network between the nodes can read today.",
  );
  const { calls, crossing } = await callUnderWatch(stage);
  const times = await timeRequests(stage, TIMED_REQUESTS);
  stage.claim({
    claim: "the programs talk",
    ok: calls.every((call) => call.ok) && times.failed === 0,
    seen: `${describeCalls(calls)}; curl median ${times.median} ms, p99 ${times.p99} ms`,
    figures: { plaintextMedianMs: times.median, plaintextP99Ms: times.p99 },
  });
  stage.claim({
    claim: "without the mesh a wiretap between the nodes reads the payload",
    ok: crossing.contains(PAYLOAD),
    seen: `"${PAYLOAD}" ${crossing.contains(PAYLOAD) ? "found" : "not found"} in ${crossing.bytes} captured bytes; packets by port: ${describePorts(crossing)}`,
  });
}

export async function enrolNamespace(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "One label puts the namespace into the mesh",
    "No pod is restarted, changed or given a sidecar.",
  );
  const before = await podsOf(stage);
  const startMs = stage.clock.monotonicMs();
  await stage.shown(["label", "namespace", "shop", "istio.io/dataplane-mode=ambient"]);
  await stage.until("every pod of shop to be enrolled", ENROL_DEADLINE_MS, async () =>
    (await podsOf(stage)).every(
      (pod) => pod.metadata.annotations?.["ambient.istio.io/redirection"] === "enabled",
    ),
  );
  const enrolMs = Math.round(stage.clock.monotonicMs() - startMs);
  const after = await podsOf(stage);
  const restarts = after.reduce(
    (sum, pod) =>
      sum + (pod.status.containerStatuses ?? []).reduce((count, each) => count + each.restartCount, 0),
    0,
  );
  const same =
    before.length === after.length && before.every((pod, i) => pod.metadata.uid === after[i]?.metadata.uid);
  stage.claim({
    claim: "enrolling restarts no pod",
    ok: same && restarts === 0,
    seen: `${after.length} pods enrolled in ${enrolMs} ms; same pods: ${same}, restarts: ${restarts}`,
    figures: { enrolMs, pods: after.length },
  });
}

export async function showEncrypted(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "After: the same calls, nothing but mutual TLS on the wire",
    "The same wiretap now sees one port and no text.",
  );
  await stage.until("the first call through the mesh", ENROL_DEADLINE_MS, async () =>
    (await callPrograms(stage)).every((call) => call.ok),
  );
  const { calls, crossing } = await callUnderWatch(stage);
  const times = await timeRequests(stage, TIMED_REQUESTS);
  stage.claim({
    claim: "the same programs talk through the mesh, unchanged",
    ok: calls.every((call) => call.ok) && times.failed === 0,
    seen: `${describeCalls(calls)}; curl median ${times.median} ms, p99 ${times.p99} ms`,
    figures: { meshMedianMs: times.median, meshP99Ms: times.p99 },
  });
  const leaked = PROGRAM_PORTS.filter((port) => (crossing.packetsByPort.get(port) ?? 0) > 0);
  const tunnelled = crossing.packetsByPort.get(15008) ?? 0;
  stage.claim({
    claim: "only TLS on port 15008 crosses between the pods, and the payload is not to be found",
    ok: !crossing.contains(PAYLOAD) && leaked.length === 0 && tunnelled > 0,
    seen: `payload found: ${crossing.contains(PAYLOAD)}; packets on 15008: ${tunnelled}, on the programs' own ports: ${leaked.length === 0 ? "none" : leaked.join(", ")}`,
    figures: { hbonePackets: tunnelled },
  });
}

async function podsOf(stage: Stage): Promise<readonly Pod[]> {
  const text = await stage.kubectl(["get", "pods", "-n", "shop", "-o", "json"]);
  const pods = (JSON.parse(text) as { readonly items: readonly Pod[] }).items;
  return [...pods].sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
}

async function callUnderWatch(
  stage: Stage,
): Promise<{ readonly calls: Awaited<ReturnType<typeof callPrograms>>; readonly crossing: Crossing }> {
  const capture = await watchLink(stage.options.link, stage.options.captureFile);
  // Whatever happens, tcpdump ends and its file goes.
  const [calls, crossing] = await callPrograms(stage).then(
    async (results) => [results, await capture.stop()] as const,
    async (error) => {
      await capture.stop();
      throw error;
    },
  );
  return { calls, crossing };
}

function describePorts(crossing: Crossing): string {
  const known = PROGRAM_PORTS.filter((port) => crossing.packetsByPort.has(port));
  return known.map((port) => `${port}: ${crossing.packetsByPort.get(port)}`).join(", ");
}
