import assert from "node:assert/strict";
import { test } from "node:test";
import type { L4Connection } from "@meltemi/authorization";
import { EMPTY_MATCH, ip, newWorkload, type Policy, type Workload } from "@meltemi/model";
import { createMeshStore } from "@meltemi/proxy-process";
import { type Clock, createLogger, LogFilter } from "@meltemi/runtime";
import { createFakeClock } from "@meltemi/testkit";
import { createAuthorizer, MISSING_POLICY_WAIT_MS } from "./authorize.ts";
import { createLiveConnections, JUDGED_PER_TURN, RECHECK_BOUND_MS } from "./live-connections.ts";

const POD = newWorkload({ uid: "pod", name: "pod", namespace: "ns" });
const TO_80: L4Connection = { sourceIp: ip("10.0.0.1"), destination: { ip: ip("10.0.0.2"), port: 80 } };
const TO_90: L4Connection = { ...TO_80, destination: { ip: ip("10.0.0.2"), port: 90 } };
const deny = (port: number, given: Partial<Policy> = {}): Policy => ({
  name: "p",
  namespace: "ns",
  scope: "namespace",
  action: "deny",
  rules: [[[{ ...EMPTY_MATCH, destinationPorts: [port] }]]],
  dryRun: false,
  ...given,
});

function setUp(...workloads: Workload[]) {
  const clock = createFakeClock();
  const mesh = createMeshStore({ clock });
  const lines: string[] = [];
  const logger = createLogger(
    { filter: new LogFilter("info"), format: "plain", nowMs: clock.nowMs, write: (line) => lines.push(line) },
    "proxy",
  );
  const authorizer = createAuthorizer({ mesh, logger, logLevel: "info" });
  let turns = 0;
  let stalledMs = 0;
  const liveClock: Clock = {
    nowMs: clock.nowMs,
    monotonicMs: () => clock.monotonicMs() + stalledMs,
    after(delayMs, task) {
      if (delayMs === 0) turns++;
      return clock.after(delayMs, task);
    },
  };
  const live = createLiveConnections({ mesh, clock: liveClock });
  mesh.applyAddresses(workloads.map((workload) => ({ kind: "workload", workload })));
  const put = (policy: Policy): void => mesh.applyPolicies([{ kind: "policy", policy }]);
  /** The event loop is busy with something else. */
  const stall = (ms: number): void => {
    stalledMs += ms;
  };
  return { clock, mesh, authorizer, live, lines, put, stall, turns: () => turns };
}
const NEVER = new AbortController().signal;

test("a known decision comes at once", async () => {
  const { authorizer, put, lines } = setUp(POD);
  put(deny(80));
  assert.deepEqual(await authorizer.authorize("pod", TO_80, NEVER), {
    kind: "deny",
    message: "explicitly denied by: ns/p",
  });
  assert.deepEqual(await authorizer.authorize("pod", TO_90, NEVER), { kind: "allow" });
  assert.match(lines.join(""), /rbac\tdeny policy match\tpolicy="ns\/p"/);
});

test("a dry run is told and changes nothing", async () => {
  const { authorizer, put, lines } = setUp(POD);
  put(deny(80, { dryRun: true }));
  assert.equal((await authorizer.authorize("pod", TO_80, NEVER)).kind, "allow");
  assert.match(lines.join(""), /dry-run policy matched\tpolicy="ns\/p" action="deny"/);
});

const REFERRING: Workload = { ...POD, authorizationPolicies: ["ns/p"] };
const selected = (port: number): Policy => deny(port, { scope: "workloadSelector" });

test("a policy that arrives in time decides", async () => {
  const { authorizer, put, clock } = setUp(REFERRING);
  const verdict = authorizer.authorize("pod", TO_80, NEVER);
  clock.advance(MISSING_POLICY_WAIT_MS - 1);
  put(selected(90));
  assert.equal((await verdict).kind, "allow");
});

test("a policy that does not arrive refuses", async () => {
  const { authorizer, clock } = setUp(REFERRING);
  const verdict = authorizer.authorize("pod", TO_80, NEVER);
  clock.advance(MISSING_POLICY_WAIT_MS);
  assert.deepEqual(await verdict, {
    kind: "deny",
    message: "policies referenced and not received: ns/p",
  });
});

test("a client that gives up ends the wait", async () => {
  const { authorizer, clock } = setUp(REFERRING);
  const gone = new AbortController();
  const verdict = authorizer.authorize("pod", TO_80, gone.signal);
  gone.abort();
  assert.equal((await verdict).kind, "deny");
  assert.equal(clock.pending, 0);
});

test("an unknown workload lets nobody in", async () => {
  const { authorizer } = setUp();
  assert.equal((await authorizer.authorize("pod", TO_80, NEVER)).kind, "deny");
});

test("a change cuts exactly the connections that it forbids", () => {
  const { live, put, mesh } = setUp(POD);
  const cut: number[] = [];
  const open = (connection: L4Connection): (() => void) =>
    live.register({ workloadUid: "pod", connection, cut: () => cut.push(connection.destination.port) });
  open(TO_80);
  const close = open(TO_90);
  put(deny(1));
  assert.deepEqual(cut, []);
  put(deny(80));
  assert.deepEqual([cut, live.size], [[80], 1]);
  mesh.applyPolicies([{ kind: "remove", name: "ns/p" }]);
  close();
  close();
  assert.equal(live.size, 0);
  put(deny(90));
  assert.deepEqual(cut, [80]);
});

test("a workload that now refers to a policy is judged by it; a missing one is waited for", () => {
  const { live, mesh, clock, put } = setUp(POD);
  const cut: number[] = [];
  for (const connection of [TO_80, TO_90])
    live.register({ workloadUid: "pod", connection, cut: () => cut.push(connection.destination.port) });
  mesh.applyAddresses([{ kind: "workload", workload: REFERRING }]);
  assert.deepEqual(cut, []);
  put(selected(80));
  assert.deepEqual(cut, [80]);
  clock.advance(MISSING_POLICY_WAIT_MS);
  assert.deepEqual(cut, [80]);
  mesh.applyPolicies([{ kind: "remove", name: "ns/p" }]);
  clock.advance(MISSING_POLICY_WAIT_MS);
  assert.deepEqual(cut, [80, 90]);
});

test("a workload that leaves the mesh keeps what is open", () => {
  const { live, mesh, put } = setUp(POD);
  let cut = 0;
  live.register({ workloadUid: "pod", connection: TO_80, cut: () => cut++ });
  mesh.applyAddresses([{ kind: "remove", name: "pod" }]);
  put(deny(80));
  assert.equal(cut, 0);
});

test("waiting ends with the answer, the timeout or the signal", async () => {
  const { mesh, clock } = setUp();
  const find = (): Promise<string | undefined> =>
    mesh.waitFor((snapshot) => snapshot.workloads.get("pod")?.name, 100);
  const timedOut = find();
  clock.advance(100);
  assert.equal(await timedOut, undefined);
  const found = find();
  mesh.applyAddresses([{ kind: "workload", workload: POD }]);
  assert.equal(await found, "pod");
  assert.equal(await find(), "pod");
  assert.equal(clock.pending, 0);
});

/** So many connections to port 80 that judging them takes several turns; one more to port 90 at the end. */
function openMany(live: ReturnType<typeof setUp>["live"], count: number) {
  const cut = { 80: 0, 90: 0 };
  for (let index = 0; index < count; index++)
    live.register({ workloadUid: "pod", connection: TO_80, cut: () => cut[80]++ });
  live.register({ workloadUid: "pod", connection: TO_90, cut: () => cut[90]++ });
  return cut;
}

test("many connections are judged a slice per turn, the last ones by the policies of then", async () => {
  const { live, put, mesh, clock } = setUp(POD);
  const cut = openMany(live, 2.5 * JUDGED_PER_TURN);
  put(deny(80));
  assert.equal(cut[80], JUDGED_PER_TURN);
  // Whatever changes meanwhile is judged as well, and does not begin from the start each time.
  mesh.applyPolicies([{ kind: "policy", policy: deny(90, { name: "q" }) }]);
  assert.equal(cut[80], 2 * JUDGED_PER_TURN);
  await clock.settle();
  assert.deepEqual(cut, { 80: 2.5 * JUDGED_PER_TURN, 90: 1 });
  await clock.settle();
  assert.deepEqual([live.size, clock.pending], [0, 0]);
});

test("a change during a pass reaches those that the pass has left behind", async () => {
  const { live, put, clock } = setUp(POD);
  const cut = openMany(live, 2.5 * JUDGED_PER_TURN);
  put(deny(1));
  put(deny(80));
  await clock.settle();
  await clock.settle();
  assert.deepEqual([cut[80], live.size, clock.pending], [2.5 * JUDGED_PER_TURN, 1, 0]);
});

test("what has not had its turn within half of the bound is judged at once", () => {
  const { live, put, clock, turns, stall } = setUp(POD);
  const cut = openMany(live, 20 * JUDGED_PER_TURN);
  put(deny(80));
  assert.equal(cut[80], JUDGED_PER_TURN);
  assert.equal(turns(), 1);
  stall(RECHECK_BOUND_MS / 2);
  clock.advance(0);
  assert.deepEqual([cut[80], live.size, turns()], [20 * JUDGED_PER_TURN, 1, 1]);
});

test("a policy of another namespace makes nobody be judged; one that returns unchanged neither", () => {
  const { live, put, mesh, clock } = setUp(POD);
  put(deny(1));
  openMany(live, 2 * JUDGED_PER_TURN);
  put(deny(80, { namespace: "other" }));
  mesh.applyAddresses([{ kind: "workload", workload: { ...POD, node: "moved" } }]);
  assert.equal(clock.pending, 0);
  put(deny(2));
  assert.equal(clock.pending, 1);
});

test("a workload that leaves during a pass keeps what is open, and is judged when it is back", async () => {
  const { live, put, mesh, clock } = setUp(POD);
  const cut = openMany(live, 2 * JUDGED_PER_TURN);
  put(deny(80));
  mesh.applyAddresses([{ kind: "remove", name: "pod" }]);
  await clock.settle();
  assert.deepEqual([cut[80], clock.pending], [JUDGED_PER_TURN, 0]);
  mesh.applyAddresses([{ kind: "workload", workload: POD }]);
  await clock.settle();
  await clock.settle();
  assert.equal(cut[80], 2 * JUDGED_PER_TURN);
});
