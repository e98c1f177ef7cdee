import assert from "node:assert/strict";
import { test } from "node:test";
import { createFakeClock, type FakeClock } from "@meltemi/testkit";
import type { LiveTcp } from "../../tcp/tcp-site.ts";
import { createTelemetryBench, labelsOf, type TelemetryBench, tcpRecord } from "../telemetry.fixture.ts";

function bench(): TelemetryBench & { readonly clock: FakeClock } {
  const clock = createFakeClock();
  return Object.assign(createTelemetryBench(clock), { clock });
}

/** Labels of the only sample of a counter. */
function onlyLabels(made: TelemetryBench, sample: string): Map<string, string> {
  const found = made.samples().filter((line) => line.startsWith(`${sample}{`));
  assert.equal(found.length, 1, found.join("\n"));
  return labelsOf(found[0] ?? "");
}

const tcpCount = (made: TelemetryBench, metric: string): string[] =>
  made
    .samples()
    .filter((line) => line.startsWith(`istio_tcp_${metric}_total`))
    .map((line) => `${labelsOf(line).get("response_flags")} ${line.split(" ").at(-1)}`);

test("a connection's bytes are counted every five seconds while it lives, and the rest at its end", () => {
  const made = bench();
  const { connections } = made.service();
  const record = tcpRecord();
  const live: { -readonly [K in keyof LiveTcp]: LiveTcp[K] } = { receivedBytes: 0, sentBytes: 0 };
  connections.onOpened(record, live);
  assert.deepEqual(tcpCount(made, "connections_opened"), ["- 1"]);
  Object.assign(live, { receivedBytes: 5, sentBytes: 100 });
  made.clock.advance(4999);
  assert.deepEqual(tcpCount(made, "sent_bytes"), ["- 0"]);
  made.clock.advance(1);
  assert.deepEqual(tcpCount(made, "sent_bytes"), ["- 100"]);
  connections.onComplete({ ...record, receivedBytes: 8, sentBytes: 120 });
  assert.deepEqual(tcpCount(made, "sent_bytes"), ["- 120"]);
  assert.deepEqual(tcpCount(made, "received_bytes"), ["- 8"]);
  assert.deepEqual(tcpCount(made, "connections_closed"), ["- 1"]);
  made.clock.advance(60_000);
  assert.deepEqual(tcpCount(made, "sent_bytes"), ["- 120"]);
});

test("a connection that never opened is opened and closed at once, under its flag", () => {
  const made = bench();
  made
    .service()
    .connections.onComplete(
      tcpRecord({ endpoint: undefined, responseFlags: ["UH"], receivedBytes: 0, sentBytes: 0 }),
    );
  assert.deepEqual(tcpCount(made, "connections_opened"), ["UH 1"]);
  assert.deepEqual(tcpCount(made, "connections_closed"), ["UH 1"]);
});

test("labels of a connection: those of requests without an answer", () => {
  const made = bench();
  made
    .service({ metrics: [{ disabled: false, tags: [{ name: "port", value: "string(destination.port)" }] }] })
    .connections.onComplete(tcpRecord());
  const labels = onlyLabels(made, "istio_tcp_connections_closed_total");
  assert.equal(labels.get("request_protocol"), "tcp");
  assert.equal(labels.get("destination_service_name"), "reviews");
  assert.equal(labels.get("port"), "5432");
  assert.equal(labels.has("response_code"), false);
  assert.equal(labels.has("grpc_response_status"), false);
});

test("what flowed on live connections is counted before the process ends", async () => {
  const made = bench();
  made.service().connections.onOpened(tcpRecord(), { receivedBytes: 1, sentBytes: 2 });
  await made.telemetry.close();
  assert.deepEqual(tcpCount(made, "sent_bytes"), ["- 2"]);
  assert.equal(made.clock.pending, 0);
});
