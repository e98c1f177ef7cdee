import assert from "node:assert/strict";
import { test } from "node:test";
import { createRegistry } from "@meltemi/telemetry";
import { createFakeClock } from "@meltemi/testkit";
import type { SessionNode } from "@meltemi/xds";
import { podFacts, SETTINGS, serviceFacts } from "../compile/facts.fixture.ts";
import { createMeshCompiler } from "../compile/mesh-compiler.ts";
import { DEFAULT_DEBOUNCE, type Gathering, gather, pushDueMs } from "./decide-push.ts";
import { createMeshResources } from "./mesh-resources.ts";
import { createDistributionMetrics } from "./metrics.ts";
import { nodeFault } from "./node-identity.ts";
import { createPublisher } from "./publisher.ts";

const OPTIONS = { leadingMs: 10, quietMs: 100, maxMs: 1000 };

const dues = [
  { name: "the first change ever leaves soon", last: Number.NEGATIVE_INFINITY, changes: [500], due: 510 },
  { name: "so does one after a quiet time", last: 300, changes: [500], due: 510 },
  { name: "and does not wait for those that follow closely", last: 300, changes: [500, 505], due: 510 },
  { name: "one right after a push waits for quiet", last: 450, changes: [500], due: 600 },
  { name: "and longer when more follow", last: 450, changes: [500, 560, 640], due: 740 },
  { name: "but not for ever", last: 450, changes: [500, 900, 1450], due: 1500 },
];
for (const { name, last, changes, due } of dues) {
  test(`push: ${name}`, () => {
    const [first = 0, ...rest] = changes;
    let gathering = gather(undefined, first);
    for (const at of rest) gathering = gather(gathering, at);
    assert.equal(pushDueMs(gathering, last, OPTIONS), due);
  });
}

test("push: while changes never cease, what changed is known a fifth of a second later", () => {
  let gathering: Gathering | undefined;
  let lastPushMs = Number.NEGATIVE_INFINITY;
  const waitedMs: number[] = [];
  for (let nowMs = 0; nowMs < 2_000; nowMs += 20) {
    if (gathering !== undefined && pushDueMs(gathering, lastPushMs, DEFAULT_DEBOUNCE) <= nowMs) {
      waitedMs.push(nowMs - gathering.firstChangeMs);
      [lastPushMs, gathering] = [nowMs, undefined];
    }
    gathering = gather(gathering, nowMs);
  }
  assert.ok(waitedMs.length >= 9 && Math.max(...waitedMs) <= 200, waitedMs.join(" "));
});

const NODE: SessionNode = {
  id: "ztunnel~1.1.1.1~ztunnel-a.istio-system~istio-system.svc.cluster.local",
  nodeName: "n",
  namespace: "istio-system",
  serviceAccount: "",
  clusterId: "",
  version: "",
};
const CALLER = { namespace: "istio-system", serviceAccount: "ztunnel", pod: { name: "ztunnel-a", uid: "u" } };

const identities = [
  { name: "all agree", node: {}, caller: {}, fault: undefined },
  { name: "a token without a pod", node: {}, caller: { pod: undefined }, fault: undefined },
  { name: "an id that is none", node: { id: "ztunnel" }, caller: {}, fault: /expected <type>~/ },
  { name: "an id without a namespace", node: { id: "a~b~c~d" }, caller: {}, fault: /expected <type>~/ },
  { name: "another namespace", node: {}, caller: { namespace: "evil" }, fault: /namespace istio-system/ },
  { name: "metadata of another namespace", node: { namespace: "x" }, caller: {}, fault: /NAMESPACE x/ },
  {
    name: "metadata of another account",
    node: { serviceAccount: "x" },
    caller: {},
    fault: /SERVICE_ACCOUNT x/,
  },
  {
    name: "the token of another pod",
    node: {},
    caller: { pod: { name: "b", uid: "u" } },
    fault: /bound to pod b/,
  },
];
for (const { name, node, caller, fault } of identities) {
  test(`node identity: ${name}`, () => {
    const { pod, ...account } = { ...CALLER, ...caller };
    const found = nodeFault({ ...NODE, ...node }, pod === undefined ? account : { ...account, pod });
    if (fault === undefined) assert.equal(found, undefined);
    else assert.match(found ?? "", fault);
  });
}

test("publisher: a burst is one push, what changed nothing is none, each change is encoded once", () => {
  const clock = createFakeClock();
  const compiler = createMeshCompiler(SETTINGS, (...fault) => assert.fail(String(fault)));
  const resources = createMeshResources();
  const pushes: number[] = [];
  const publisher = createPublisher(OPTIONS, {
    clock,
    metrics: createDistributionMetrics(createRegistry()),
    resources,
    compile: () => compiler.flush(),
    push: () => pushes.push(resources.addresses.head),
    onCompiled: () => undefined,
  });
  const put = (name: string, healthy: boolean): void => {
    compiler.inputs.pods.put(`ns/${name}`, podFacts({ name, healthy }));
    publisher.touch("Pod");
  };
  put("a", true);
  clock.advance(5000);
  assert.deepEqual(pushes, [], "nothing leaves before the start");
  publisher.start();
  assert.deepEqual(pushes, [1]);
  clock.advance(5000);
  for (const name of ["b", "c", "d"]) put(name, true);
  clock.advance(10);
  assert.deepEqual(pushes, [1, 4]);
  assert.equal(resources.encodings, 4);
  put("d", true);
  clock.advance(5000);
  assert.deepEqual(pushes, [1, 4], "the same again is no change");
  put("d", false);
  put("d", true);
  clock.advance(5000);
  assert.deepEqual(pushes, [1, 4], "nor is there and back");
  publisher.stop();
  put("e", true);
  clock.advance(5000);
  assert.equal(pushes.length, 2);
});

test("resources: addresses are aliases, but not those of the host network", () => {
  const compiler = createMeshCompiler(SETTINGS, (...fault) => assert.fail(String(fault)));
  compiler.inputs.pods.put("ns/a", podFacts({ labels: { app: "a" } }));
  compiler.inputs.pods.put("ns/h", podFacts({ name: "h", hostNetwork: true }));
  compiler.inputs.services.put("ns/svc", serviceFacts({ selector: { app: "a" } }));
  const { addresses, publish } = createMeshResources();
  publish(compiler.flush());
  const namesOf = (key: string) =>
    addresses
      .matching(key)
      .map(({ name }) => name)
      .sort();
  assert.deepEqual(namesOf("/10.0.0.1"), ["Kubernetes//Pod/ns/a"]);
  assert.deepEqual(namesOf("/10.96.0.1"), ["ns/svc.ns.svc.cluster.local"]);
  assert.deepEqual(namesOf("ns/svc.ns.svc.cluster.local"), [
    "Kubernetes//Pod/ns/a",
    "ns/svc.ns.svc.cluster.local",
  ]);
});
