import assert from "node:assert/strict";
import { test } from "node:test";
import { createTelemetry, FilterMemory, RegexCache } from "@meltemi/l7";
import { PersistentMap } from "@meltemi/model";
import { createRegistry } from "@meltemi/telemetry";
import { createFakeClock } from "@meltemi/testkit";
import { clusterOf, REVIEWS, servedOf, settingsOf } from "../waypoint.fixture.ts";
import { EMPTY_WORLD } from "../world/world.ts";
import { createSiteBook } from "./site-book.ts";

function book() {
  const clock = createFakeClock();
  const problems: string[] = [];
  const labels = PersistentMap.empty<Readonly<Record<string, string>>>();
  const sites = createSiteBook({
    clusters: {
      clock,
      random: () => 0,
      dial: () => Promise.reject(new Error("nobody dials here")),
      view: () => ({ snapshot: EMPTY_WORLD.snapshot, labels }),
      source: () => ({
        locality: { region: "", zone: "", subzone: "" },
        network: "",
        clusterId: "",
        node: "",
        labels: {},
      }),
      onInternalError: (error) => assert.fail(String(error)),
      onEjection: () => undefined,
    },
    regexes: new RegexCache(),
    memory: new FilterMemory({ clock }),
    onProblem: (subject, problem) => problems.push(`${subject}: ${problem}`),
    telemetry: createTelemetry({
      clock,
      random: () => 0,
      registry: createRegistry(),
      writeAccessLog: () => undefined,
      postSpans: () => Promise.resolve(200),
      node: {
        name: "",
        namespace: "",
        canonicalService: "",
        canonicalRevision: "",
        clusterId: "",
        meshId: "",
      },
    }),
  });
  const update = (
    served = [servedOf()],
    settings: ReturnType<typeof settingsOf> | undefined = settingsOf(),
  ) =>
    sites.update({
      served: new Map(served.map((one) => [`${one.namespace}/${one.hostname}`, one])),
      settings,
    });
  return { problems, sites, update };
}

const cluster = (given: ReturnType<typeof book>) =>
  given.sites.sites.get(REVIEWS)?.clusters.get(clusterOf().name);

test("without settings nothing is served", () => {
  const { sites } = book();
  sites.update({ served: new Map([[REVIEWS, servedOf()]]), settings: undefined });
  assert.equal(sites.service(REVIEWS, 80), undefined);
  assert.equal(sites.workload(), undefined);
});

test("what is configured as before is the same site as before", () => {
  const given = book();
  given.update();
  const site = given.sites.service(REVIEWS, 80);
  assert.ok(site !== undefined);
  given.update();
  assert.equal(given.sites.service(REVIEWS, 80), site);
  assert.equal(given.sites.service(REVIEWS, 81), undefined);
});

test("another route makes another site with the same cluster, another policy of the cluster another cluster", () => {
  const given = book();
  given.update();
  const first = cluster(given);
  assert.ok(first !== undefined);
  const [port] = servedOf().ports;
  assert.ok(port !== undefined);
  given.update([servedOf({ ports: [{ ...port, protocol: "sniff" }] })]);
  assert.equal(given.sites.service(REVIEWS, 80)?.protocol, "sniff");
  assert.equal(cluster(given), first);
  given.update([servedOf({ clusters: [clusterOf({ loadBalancer: { kind: "random" } })] })]);
  assert.notEqual(cluster(given), first);
});

test("settings that changed reach every service, clusters go on", () => {
  const given = book();
  given.update();
  const first = cluster(given);
  given.update([servedOf()], settingsOf({ pathNormalization: "mergeSlashes" }));
  assert.equal(given.sites.service(REVIEWS, 80)?.http.pathNormalization, "mergeSlashes");
  assert.equal(cluster(given), first);
});

test("what is not served any more is gone for the next request; its cluster keeps no connection", () => {
  const given = book();
  given.update();
  const left = cluster(given);
  assert.ok(left !== undefined);
  let drained = false;
  left.drain = () => {
    drained = true;
  };
  given.update([]);
  assert.equal(given.sites.service(REVIEWS, 80), undefined);
  assert.equal(drained, true);
});

test("workloads are served for the traffic types that say so, and keep their cluster", () => {
  const given = book();
  given.update([]);
  assert.equal(given.sites.workload(), undefined);
  given.update([], settingsOf({ trafficType: "all" }));
  const first = given.sites.workload();
  assert.equal(first?.protocol, "sniff");
  given.update([], settingsOf({ trafficType: "workload" }));
  assert.notEqual(given.sites.workload(), first);
  assert.equal(given.sites.workload()?.http.defaultCluster, first?.http.defaultCluster);
});

test("a configuration that cannot be served is told, and what was served before goes on", () => {
  const given = book();
  given.update();
  const site = given.sites.service(REVIEWS, 80);
  given.update([servedOf({ clusters: [] })]);
  assert.equal(given.sites.service(REVIEWS, 80), site);
  assert.match(given.problems.join(), /expected a cluster inbound-vip/);
  const fresh = book();
  fresh.update([servedOf({ clusters: [] })]);
  assert.equal(fresh.sites.service(REVIEWS, 80), undefined);
});
