/** Incremental compilation: the same result as from scratch, for no more work than a change deserves. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ip } from "@meltemi/model";
import fc from "fast-check";
import {
  authorizationPolicyFacts,
  endpointFacts,
  meshListener,
  namespaceFacts,
  peerAuthenticationFacts,
  podFacts,
  SETTINGS,
  serviceEntryFacts,
  serviceFacts,
  waypointFacts,
} from "./facts.fixture.ts";
import type { MeshInputs } from "./mesh-collections.ts";
import { createMeshCompiler, type MeshCompiler } from "./mesh-compiler.ts";

const fail = (collection: string, key: string, error: unknown): void => {
  throw new Error(`${collection} ${key}`, { cause: error });
};

type Edit = (inputs: MeshInputs) => void;

const namespaces = fc.constantFrom("ns", "other", "istio-system");
const names = fc.constantFrom("a", "b", "c");
const labels = fc.constantFrom<Record<string, string>>(
  {},
  { app: "a" },
  { app: "b" },
  { app: "a", tier: "x" },
);
const requests = fc.constantFrom(
  {},
  { useWaypoint: "a" },
  { useWaypoint: "none" },
  { useWaypoint: "b", useWaypointNamespace: "other" },
  { useWaypoint: "a", canary: "b", canaryWeight: "20" },
  { canary: "a" },
  { useWaypoint: "a", required: "true" },
  { required: "true" },
  { required: "false" },
);
const modes = fc.constantFrom("unset", "disable", "permissive", "strict" as const);
const gone = fc.boolean();
const createdMs = fc.nat(3);

/** Some object of some kind appears, changes or goes. */
const edits: fc.Arbitrary<Edit> = fc.oneof(
  fc
    .record({
      namespace: namespaces,
      name: names,
      labels,
      waypoint: requests,
      captured: fc.boolean(),
      address: fc.nat(3),
      gone,
    })
    .map(
      ({ gone: removed, address, ...pod }): Edit =>
        ({ pods }) =>
          void pods.put(
            `${pod.namespace}/${pod.name}`,
            removed ? undefined : podFacts({ ...pod, ips: [ip(`10.0.0.${address}`)] }),
          ),
    ),
  fc.record({ namespace: namespaces, name: names, selector: labels, waypoint: requests, gone }).map(
    ({ gone: removed, ...service }): Edit =>
      ({ services }) =>
        void services.put(
          `${service.namespace}/${service.name}`,
          removed ? undefined : serviceFacts(service),
        ),
  ),
  fc.record({ name: namespaces, waypoint: requests, network: fc.constantFrom("", "n1"), gone }).map(
    ({ gone: removed, ...namespace }): Edit =>
      (inputs) =>
        void inputs.namespaces.put(namespace.name, removed ? undefined : namespaceFacts(namespace)),
  ),
  fc
    .record({
      namespace: namespaces,
      name: names,
      selector: labels,
      mode: modes,
      port: modes,
      createdMs,
      gone,
    })
    .map(
      ({ gone: removed, port, ...policy }): Edit =>
        ({ peerAuthentications }) =>
          void peerAuthentications.put(
            `${policy.namespace}/${policy.name}`,
            removed
              ? undefined
              : peerAuthenticationFacts({ ...policy, portModes: [{ port: 80, mode: port }] }),
          ),
    ),
  fc
    .record({
      namespace: namespaces,
      name: names,
      selector: labels,
      action: fc.constantFrom("ALLOW", "DENY", "AUDIT" as const),
      gone,
    })
    .map(
      ({ gone: removed, ...policy }): Edit =>
        ({ authorizationPolicies }) =>
          void authorizationPolicies.put(
            `${policy.namespace}/${policy.name}`,
            removed ? undefined : authorizationPolicyFacts(policy),
          ),
    ),
  fc
    .record({
      namespace: namespaces,
      name: names,
      createdMs,
      hosts: fc.subarray(["x.example", "y.example", "a.ns.svc.cluster.local"], { minLength: 1 }),
      resolution: fc.constantFrom("static", "dns", "none" as const),
      workloadSelector: fc.constantFrom(undefined, { app: "a" }),
      gone,
    })
    .map(
      ({ gone: removed, ...entry }): Edit =>
        ({ serviceEntries }) =>
          void serviceEntries.put(
            `${entry.namespace}/${entry.name}`,
            removed ? undefined : serviceEntryFacts({ ...entry, endpoints: [endpointFacts()] }),
          ),
    ),
  fc
    .record({
      namespace: namespaces,
      name: names,
      trafficType: fc.constantFrom("service", "workload", "all" as const),
      ready: fc.boolean(),
      gone,
    })
    .map(
      ({ gone: removed, ready, ...waypoint }): Edit =>
        ({ waypoints }) =>
          void waypoints.put(
            `${waypoint.namespace}/${waypoint.name}`,
            removed
              ? undefined
              : waypointFacts({
                  ...waypoint,
                  ...(ready ? {} : { addresses: [] }),
                  listeners: [meshListener({ kind: "all" })],
                }),
          ),
    ),
  fc
    .record({
      namespace: namespaces,
      name: names,
      serviceName: names,
      podName: fc.constantFrom(undefined, "a"),
      gone,
    })
    .map(
      ({ gone: removed, podName, ...slice }): Edit =>
        ({ endpointSlices }) =>
          void endpointSlices.put(
            `${slice.namespace}/${slice.name}`,
            removed
              ? undefined
              : {
                  ...slice,
                  ports: [{ name: "http", port: 1 }],
                  endpoints: [{ ips: [ip("192.0.2.1")], healthy: true, ...(podName && { podName }) }],
                },
          ),
    ),
);

function stateOf({ outputs }: MeshCompiler): unknown {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, collection]) => [
      name,
      [...(collection as { entries(): Iterable<readonly [string, unknown]> }).entries()].sort(([a], [b]) =>
        a < b ? -1 : 1,
      ),
    ]),
  );
}

test("after any sequence of edits the result is that of compiling the final state at once", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(edits, fc.boolean()), { maxLength: 40 }), (sequence) => {
      const incremental = createMeshCompiler(SETTINGS, fail);
      const fresh = createMeshCompiler(SETTINGS, fail);
      for (const [edit, flush] of sequence) {
        edit(incremental.inputs);
        edit(fresh.inputs);
        if (flush) incremental.flush();
      }
      incremental.flush();
      fresh.flush();
      assert.deepEqual(stateOf(incremental), stateOf(fresh));
    }),
    { numRuns: 500 },
  );
});

test("the reported changes add up to the result", () => {
  fc.assert(
    fc.property(fc.array(edits, { maxLength: 40 }), (sequence) => {
      const compiler = createMeshCompiler(SETTINGS, fail);
      const held = new Map<string, unknown>();
      for (const edit of sequence) {
        edit(compiler.inputs);
        const { workloads } = compiler.flush();
        for (const { name, value } of workloads.upserts) held.set(name, value);
        for (const name of workloads.removedNames) held.delete(name);
      }
      assert.deepEqual(new Map([...held].sort()), new Map([...compiler.outputs.workloads.entries()].sort()));
    }),
    { numRuns: 200 },
  );
});

/** A thousand pods in ten namespaces, each with its app's service. */
function populated(): MeshCompiler {
  const compiler = createMeshCompiler(SETTINGS, fail);
  for (let at = 0; at < 1000; at++) {
    const namespace = `ns${at % 10}`;
    const app = `app${at % 100}`;
    compiler.inputs.namespaces.put(namespace, namespaceFacts({ name: namespace }));
    compiler.inputs.pods.put(`${namespace}/p${at}`, podFacts({ namespace, name: `p${at}`, labels: { app } }));
    compiler.inputs.services.put(
      `${namespace}/${app}`,
      serviceFacts({ namespace, name: app, selector: { app } }),
    );
  }
  compiler.flush();
  return compiler;
}

function workOf(
  compiler: MeshCompiler,
  edit: Edit,
): { readonly computations: number; readonly workloads: number } {
  const before = compiler.computations;
  edit(compiler.inputs);
  const { workloads } = compiler.flush();
  return { computations: compiler.computations - before, workloads: workloads.upserts.length };
}

test("one changed object is worth the work of what depends on it, no more", () => {
  const compiler = populated();
  const pod = podFacts({ namespace: "ns1", name: "p1", labels: { app: "app1" }, captured: true });
  assert.deepEqual(
    // Itself and its labels.
    workOf(compiler, ({ pods }) => pods.put("ns1/p1", pod)),
    { computations: 2, workloads: 1 },
  );
  assert.deepEqual(
    workOf(compiler, ({ pods }) => pods.put("ns1/p1", { ...pod })),
    { computations: 0, workloads: 0 },
  );
  const service = serviceFacts({ namespace: "ns1", name: "app1", selector: { app: "app1" }, vips: [] });
  // Itself, its waypoint, and its ten pods, which read it and come out equal: the ports did not change.
  assert.deepEqual(
    workOf(compiler, ({ services }) => services.put("ns1/app1", service)),
    { computations: 12, workloads: 0 },
  );
  const policy = authorizationPolicyFacts({ namespace: "ns1", selector: { app: "app1" } });
  const added = workOf(compiler, ({ authorizationPolicies }) => authorizationPolicies.put("ns1/ap", policy));
  assert.deepEqual(added, { computations: 13, workloads: 10 });
  // The rules change, who is selected does not: no workload is touched.
  const changed = workOf(compiler, ({ authorizationPolicies }) =>
    authorizationPolicies.put("ns1/ap", { ...policy, action: "DENY" }),
  );
  assert.deepEqual(changed, { computations: 3, workloads: 0 });
});

test("an object that cannot be compiled keeps its last result, and the others go on", () => {
  const faults: string[] = [];
  const compiler = createMeshCompiler(SETTINGS, (collection, key) => faults.push(`${collection} ${key}`));
  compiler.inputs.pods.put("ns/a", podFacts());
  compiler.flush();
  const broken = { ...podFacts({ healthy: false }), labels: null } as unknown as ReturnType<typeof podFacts>;
  compiler.inputs.pods.put("ns/a", broken);
  compiler.inputs.pods.put("ns/b", podFacts({ name: "b" }));
  compiler.flush();
  assert.deepEqual([...new Set(faults)], ["Pod ns/a"]);
  assert.equal(compiler.outputs.workloads.get("Kubernetes//Pod/ns/a")?.status, "healthy");
  assert.ok(compiler.outputs.workloads.get("Kubernetes//Pod/ns/b"));
});
