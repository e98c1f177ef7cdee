/** Who spoke with whom: the access log of the proxies, and the standard metrics. */

import type { Stage } from "../stage.ts";

const CLIENT_IDENTITY = "spiffe://cluster.local/ns/shop/sa/client";
const WEB_IDENTITY = "spiffe://cluster.local/ns/shop/sa/web";

export async function showIdentities(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Identities: SPIFFE, one per service account",
    "Who calls whom is proven by certificate, not by address.",
  );
  const log = await stage.shown(["logs", "-n", "istio-system", "-l", "app=ztunnel", "--tail=400"]);
  const line = log
    .split("\n")
    .find((each) => each.includes(`src.identity="${CLIENT_IDENTITY}"`) && each.includes(WEB_IDENTITY));
  stage.claim({
    claim: "both ends of a connection are proven by certificate, and the access log names them",
    ok: line !== undefined,
    seen: line === undefined ? "no access log line with both identities" : line.replaceAll("\t", " "),
  });
}

export async function showMetrics(stage: Stage): Promise<void> {
  stage.narrator.chapter(
    "Telemetry: the standard TCP metrics",
    "Dashboards made for Istio find the numbers they ask for.",
  );
  const pods = await stage.kubectl([
    "get",
    "pods",
    "-n",
    "istio-system",
    "-l",
    "app=ztunnel",
    "-o",
    "jsonpath={range .items[*]}{.status.podIP}{'\\n'}{end}",
  ]);
  const pages: string[] = [];
  for (const podIp of pods.trim().split("\n")) {
    const page = await stage.inPod({ namespace: "outside", deployment: "unmeshed" }, [
      "curl",
      "-sS",
      "-m",
      "5",
      `http://${podIp}:15020/metrics`,
    ]);
    pages.push(page.stdout);
  }
  const samples = pages
    .join("\n")
    .split("\n")
    .filter(
      (line) =>
        line.startsWith("istio_tcp_connections_opened_total{") &&
        line.includes(`source_principal="${CLIENT_IDENTITY}"`) &&
        line.includes('connection_security_policy="mutual_tls"'),
    );
  const reporters = new Set(samples.map((line) => /reporter="(\w+)"/.exec(line)?.[1]));
  stage.claim({
    claim: "Prometheus sees every connection from both sides, by Istio's metric names",
    ok: reporters.has("source") && reporters.has("destination"),
    seen: samples[0] ?? "no istio_tcp_connections_opened_total with the client's identity",
    figures: { series: samples.length },
  });
}
