import assert from "node:assert/strict";
import { test } from "node:test";
import { newService, newWorkload } from "@meltemi/model";
import { createRegistry } from "@meltemi/telemetry";
import { CONNECTION_LABELS, type ConnectionSubject, connectionLabels } from "./connection-labels.ts";

const WORKLOAD = newWorkload({
  uid: "u",
  name: "client-6c4",
  namespace: "demo",
  workloadName: "client",
  canonicalName: "client-app",
  canonicalRevision: "v1",
  serviceAccount: "client",
  locality: { region: "r", zone: "z", subzone: "" },
});
const SERVICE = newService({ name: "web", namespace: "demo", hostname: "web.demo.svc.cluster.local" });
const IDENTITY = { trustDomain: "td", namespace: "demo", serviceAccount: "client" };
const NOTHING: ConnectionSubject = {
  reporter: "destination",
  source: undefined,
  sourceIdentity: undefined,
  destination: undefined,
  destinationService: undefined,
  mutualTls: false,
};

test("all labels of a mutual TLS connection, as printed", () => {
  const registry = createRegistry();
  const family = registry.counter({ name: "c", help: "c", labels: CONNECTION_LABELS });
  const subject: ConnectionSubject = {
    reporter: "source",
    source: WORKLOAD,
    sourceIdentity: IDENTITY,
    destination: WORKLOAD,
    destinationService: SERVICE,
    mutualTls: true,
  };
  family.labels(connectionLabels(subject, "-")).inc();
  const sample = registry.exposition(undefined).body.split("\n")[2];
  assert.equal(
    sample,
    'c_total{reporter="source",source_workload="client",source_canonical_service="client-app",source_canonical_revision="v1",source_workload_namespace="demo",source_principal="spiffe://td/ns/demo/sa/client",source_app="client-app",source_version="v1",source_cluster="Kubernetes",destination_service="web.demo.svc.cluster.local",destination_service_namespace="demo",destination_service_name="web",destination_workload="client",destination_canonical_service="client-app",destination_canonical_revision="v1",destination_workload_namespace="demo",destination_principal="spiffe://cluster.local/ns/demo/sa/client",destination_app="client-app",destination_version="v1",destination_cluster="Kubernetes",request_protocol="tcp",response_flags="-",connection_security_policy="mutual_tls",source_region="r",source_zone="z",destination_region="r",destination_zone="z"} 1',
  );
});

test("what is not known is unknown, and locality is then left out", () => {
  const labels = connectionLabels(NOTHING, "DENY");
  assert.equal(labels.source_workload, "unknown");
  assert.equal(labels.source_principal, "unknown");
  assert.equal(labels.destination_principal, "unknown");
  assert.equal(labels.connection_security_policy, "unknown");
  assert.equal(labels.response_flags, "DENY");
  assert.equal("source_region" in labels, false);
});

test("a workload on one side brings all four locality labels", () => {
  const labels = connectionLabels({ ...NOTHING, destination: WORKLOAD }, "-");
  assert.deepEqual(
    [labels.source_region, labels.source_zone, labels.destination_region, labels.destination_zone],
    ["unknown", "unknown", "r", "z"],
  );
});

test("the source's principal is what TLS proved, never what configuration says", () => {
  assert.equal(connectionLabels({ ...NOTHING, source: WORKLOAD }, "-").source_principal, "unknown");
});

test("baggage speaks only for a workload that configuration does not know", () => {
  const baggage = { workloadName: "far", serviceName: "far-app", namespace: "away", revision: "v9" };
  const alone = connectionLabels({ ...NOTHING, sourceBaggage: baggage }, "-");
  assert.deepEqual(
    [alone.source_workload, alone.source_app, alone.source_canonical_service, alone.source_version],
    ["far", "far", "far-app", "v9"],
  );
  const both = connectionLabels({ ...NOTHING, source: WORKLOAD, sourceBaggage: baggage }, "-");
  assert.equal(both.source_workload, "client");
});
