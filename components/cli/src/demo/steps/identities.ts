/** Who spoke with whom: the access log of the proxies, and the standard metrics. */

import { accessLog } from "../refusal.ts";
import { type Stage, UNMESHED } from "../stage.ts";
import { timeRequests } from "./calls.ts";

const CLIENT_IDENTITY = "spiffe://cluster.local/ns/default/sa/client";
const WEB_IDENTITY = "spiffe://cluster.local/ns/default/sa/web";
const WEB_SERVICE = "web.default.svc.cluster.local";
const COUNTER = "istio_tcp_connections_opened_total";
const REPORTERS = ["source", "destination"] as const;
const COUNTED_REQUESTS = 25;
const COUNT_DEADLINE_MS = 5000;

export async function showIdentities(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Identities: SPIFFE, one per service account",
    "Who calls whom is proven by certificate, not by address.",
  );
  stage.narrator.command("kubectl logs -n istio-system -l app=ztunnel --tail=400");
  const log = await accessLog(stage);
  const shown = REPORTERS.map((reporter) => {
    const direction = reporter === "source" ? "outbound" : "inbound";
    return log.find(
      (line) =>
        line.includes(`direction="${direction}"`) &&
        line.includes(`src.identity="${CLIENT_IDENTITY}"`) &&
        line.includes(`dst.identity="${WEB_IDENTITY}"`),
    );
  });
  const line = shown[1];
  stage.claim({
    claim: "both ends of a connection are proven by certificate, and the access logs of both sides name them",
    ok: shown.every((each) => each !== undefined),
    seen: line === undefined ? "no access log line with both identities" : line.replaceAll("\t", " "),
    ...(line === undefined ? {} : { fields: fieldsOf(line) }),
  });
}

const SHOWN_FIELDS: readonly string[] = [
  "src.identity",
  "dst.identity",
  "dst.service",
  "direction",
  "duration",
];

function fieldsOf(line: string): Readonly<Record<string, string>> {
  const fields = [...line.matchAll(/(\S+)="([^"]*)"/g)].map(
    ([, name = "", value = ""]) => [name, value] as const,
  );
  return Object.fromEntries(fields.filter(([name]) => SHOWN_FIELDS.includes(name)));
}

type Counts = Readonly<Record<(typeof REPORTERS)[number], number>>;

export async function showMetrics(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Telemetry: the standard TCP metrics",
    "Every ztunnel serves /metrics under Istio's names; what was sent is what was counted.",
  );
  const before = await openedConnections(stage);
  const { failed } = await timeRequests(stage, COUNTED_REQUESTS);
  let grown: Counts = { source: 0, destination: 0 };
  const look = async (): Promise<boolean> => {
    const now = await openedConnections(stage);
    grown = { source: now.source - before.source, destination: now.destination - before.destination };
    return REPORTERS.every((reporter) => grown[reporter] >= COUNTED_REQUESTS);
  };
  await stage
    .until("the counters to grow", COUNT_DEADLINE_MS, look)
    .catch((error) => stage.narrator.note(String(error)));
  const exact = REPORTERS.every((reporter) => grown[reporter] === COUNTED_REQUESTS);
  stage.claim({
    claim: `${COUNTED_REQUESTS} connections are counted as ${COUNTED_REQUESTS} by the metrics endpoints of both sides`,
    ok: failed === 0 && exact,
    seen: `${COUNTER} grew by ${grown.source} (reporter source) and ${grown.destination} (reporter destination); ${failed} requests failed`,
    fields: {
      metric: COUNTER,
      source_principal: CLIENT_IDENTITY,
      destination_service: WEB_SERVICE,
      connection_security_policy: "mutual_tls",
      'reporter="source"': `+${grown.source}`,
      'reporter="destination"': `+${grown.destination}`,
    },
    figures: { sent: COUNTED_REQUESTS, ...grown },
  });
}

/** Connections from the client to the web server so far, summed over all ztunnels. */
async function openedConnections(stage: Stage): Promise<Counts> {
  const path = "jsonpath={range .items[*]}{.status.podIP}{'\\n'}{end}";
  const pods = await stage.kubectl(["get", "pods", "-n", "istio-system", "-l", "app=ztunnel", "-o", path]);
  const counts = { source: 0, destination: 0 };
  for (const podIp of pods.trim().split("\n")) {
    const page = await stage.inPod(UNMESHED, ["curl", "-sS", "-m", "5", `http://${podIp}:15020/metrics`]);
    for (const line of page.stdout.split("\n")) {
      if (!isCounted(line)) continue;
      const reporter = REPORTERS.find((each) => line.includes(`reporter="${each}"`));
      if (reporter !== undefined) counts[reporter] += Number(line.split(" ").at(-1));
    }
  }
  return counts;
}

function isCounted(line: string): boolean {
  return (
    line.startsWith(`${COUNTER}{`) &&
    line.includes(`source_principal="${CLIENT_IDENTITY}"`) &&
    line.includes(`destination_service="${WEB_SERVICE}"`) &&
    line.includes('connection_security_policy="mutual_tls"')
  );
}
