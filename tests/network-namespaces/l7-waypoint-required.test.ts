/** No way around a demanded waypoint, with everything real: kubectl, the control plane, capture, ztunnels, and our waypoint. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "@meltemi/testkit";
import { apply, istioctl, kubectl, meshDown, meshUp, remove, skip } from "./l7-cluster.fixture.ts";
import { AMBIENT, callerProgram, echo, namespace, service } from "./l7-objects.fixture.ts";

const GUARDED = "guarded";
const ELSEWHERE = "elsewhere";
const BEYOND = "beyond";
const REQUIRED = "meltemi.io/waypoint-required";
const VIP = `http://web.${GUARDED}/`;
const deadline = { timeout: 120_000, skip };
/** A cluster on two busy processors. */
const PATIENCE = { deadlineMs: 30_000, everyMs: 200 };
const NAMESPACES = [namespace(GUARDED, AMBIENT), namespace(ELSEWHERE, AMBIENT), namespace(BEYOND)];

/** Who calls: in the waypoint's namespace, in another one of the mesh, and from outside of it. */
const CALLERS = [GUARDED, ELSEWHERE, BEYOND] as const;

before(async () => {
  if (skip !== false) return;
  await meshUp();
  await apply(
    ...NAMESPACES,
    ...echo("web", "v1", "node-1", { namespace: GUARDED }),
    service("web", { namespace: GUARDED }),
    ...CALLERS.flatMap((each) => callerProgram("client", each, "node-2")),
  );
  await istioctl("waypoint", "apply", "-n", GUARDED, "--enroll-namespace", "--overwrite", "--wait");
  for (const each of CALLERS) await settled(each);
});

after(async () => {
  if (skip !== false) return;
  await remove(...NAMESPACES);
  await meshDown();
});

const settled = (of: string): Promise<unknown> =>
  kubectl("wait", "--for=condition=Available", "deployment", "--all", "-n", of, "--timeout=60s");

async function podUrl(): Promise<string> {
  const path = "jsonpath={.items[0].status.podIP}";
  return `http://${await kubectl("get", "pod", "-n", GUARDED, "-l", "app=echo", "-o", path)}:8080/`;
}

/** The status of an answer; 000: there was none. */
async function call(from: string, url: string): Promise<string> {
  const curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "5", url];
  // Curl fails where there is no answer, after it said so.
  const words = ["exec", "-n", from, "deploy/client", "--", "sh", "-c", `${curl.join(" ")} || true`];
  return (await kubectl(...words)).trim();
}

const until = (from: string, url: string, want: string): Promise<unknown> =>
  eventually(async () => {
    assert.equal(await call(from, url), want, `${from} → ${url}`);
    return true;
  }, PATIENCE);

const demand = (value: string | undefined): Promise<unknown> =>
  kubectl(
    "annotate",
    "namespace",
    GUARDED,
    "--overwrite",
    value === undefined ? `${REQUIRED}-` : `${REQUIRED}=${value}`,
  );

/** `status/reason`; empty when it is not there. */
async function condition(): Promise<string> {
  const path = `jsonpath={.status.conditions[?(@.type=="meltemi.io/WaypointRequired")]['status','reason']}`;
  return await kubectl("get", "service", "web", "-n", GUARDED, "-o", path);
}

test("without a demand all ways lead in", deadline, async () => {
  const pod = await podUrl();
  for (const from of CALLERS) {
    await until(from, VIP, "200");
    await until(from, pod, "200");
  }
});

test("with it, one does", deadline, async () => {
  const pod = await podUrl();
  await demand("true");
  for (const from of CALLERS) await until(from, pod, "000");
  await until(GUARDED, VIP, "200");
  await until(ELSEWHERE, VIP, "200");
  await until(BEYOND, VIP, "000");
  await eventually(async () => (await condition()) === "True Enforced", PATIENCE);
});

test(
  "the kubelet's probes still pass: a new pod becomes ready, and is guarded from its first moment",
  deadline,
  async () => {
    await kubectl("rollout", "restart", "deployment/web", "-n", GUARDED);
    await kubectl("rollout", "status", "deployment/web", "-n", GUARDED, "--timeout=60s");
    await until(GUARDED, VIP, "200");
    await until(BEYOND, await podUrl(), "000");
  },
);

test("a waypoint without replicas is no reason to go around it", deadline, async () => {
  await kubectl("scale", "deployment/waypoint", "-n", GUARDED, "--replicas=0");
  await until(GUARDED, VIP, "000");
  const pod = await podUrl();
  for (const from of CALLERS) assert.equal(await call(from, pod), "000");
  await kubectl("scale", "deployment/waypoint", "-n", GUARDED, "--replicas=1");
  await settled(GUARDED);
  await until(GUARDED, VIP, "200");
});

test("the demand is taken back, and nothing is restarted for it", deadline, async () => {
  await demand(undefined);
  const pod = await podUrl();
  for (const from of CALLERS) await until(from, pod, "200");
  await eventually(async () => (await condition()) === "", PATIENCE);
});
