/** Waypoints in an ambient mesh: who passes them, how they come, change and go (reference: l7-and-cli §8.3). */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  ADDRESSED,
  ambientUp,
  annotate,
  assertL7,
  callerNamed,
  callers,
  condition,
  GUARDED,
  get,
  label,
  losesNothing,
  PLAIN,
  podAddress,
  SERVICE_WAYPOINT,
  USE_WAYPOINT,
  untilHolds,
  untilL7,
  WORKLOAD,
  waypoint,
  waypointAddress,
} from "./l7-ambient.fixture.ts";
import { describeAttachment } from "./l7-attachment.contract.ts";
import { reportOf } from "./l7-calls.fixture.ts";
import { apply, kubectl, meshDown, remove, skip } from "./l7-cluster.fixture.ts";
import { authority, describeDirect } from "./l7-direct.contract.ts";
import { describeLifecycle } from "./l7-lifecycle.contract.ts";
import { APPS, authorization, OUTSIDE, route, serviceEntry } from "./l7-objects.fixture.ts";
import { describeTelemetry } from "./l7-telemetry.contract.ts";

before(async () => {
  if (skip === false) await ambientUp(authority);
});

after(async () => {
  for (const caller of Object.values(callers)) caller[Symbol.dispose]();
  if (skip === false) await meshDown();
});

const SOURCES = ["client", "consumer", "outside", "self"] as const;
/** Ports of the Services, and whether their HTTP is read where a waypoint is on the way. */
const HTTP_PORTS = [
  { port: 80, version: "1.1", isRead: true },
  { port: 81, version: "1.0", isRead: true },
  { port: 85, version: "2", isRead: true },
  { port: 86, version: "1.1", isRead: false },
] as const;

for (const source of SOURCES) {
  test(`TestServices: from ${source}`, { skip }, async () => {
    for (const to of [PLAIN, ADDRESSED, WORKLOAD]) {
      const passes = to === ADDRESSED && source !== "outside";
      for (const { port, version, isRead } of HTTP_PORTS)
        await untilL7(source, get(`${to}.${APPS}:${port}`, { version }), passes && isRead);
      const bytes = { kind: "bytes", port: 9090, send: "hello\n", until: "hello\n" } as const;
      const { body } = await callerNamed(source).one({ ...bytes, host: `${to}.${APPS}` });
      assert.match(body, /^\S+ v\d \S+\nhello\n$/, `${source} → ${to}, bytes`);
    }
  });
  test(`TestPodIP: from ${source}`, { skip }, async () => {
    await untilL7(source, get(`${await podAddress("echo")}:8080`), false);
    await untilL7(source, get(`${await podAddress(WORKLOAD)}:8080`), source !== "outside");
  });
}

test("the client's address is kept without a waypoint, and is the waypoint's with one", {
  skip,
}, async () => {
  const seen = async (host: string): Promise<string | undefined> =>
    reportOf(await callerNamed("client").one(get(host)))?.clientAddress.replace("::ffff:", "");
  assert.equal(await seen(`${PLAIN}.${APPS}`), await podAddress("client"));
  assert.equal(await seen(`${ADDRESSED}.${APPS}`), await waypointAddress(SERVICE_WAYPOINT));
});

test("a port on which nobody listens is a 503 of the waypoint, and a cut connection without one", {
  skip,
}, async () => {
  const ports = [{ name: "http", port: 80, targetPort: 1 }];
  const nobody = (name: string, labels: object): object => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: APPS, labels },
    spec: { selector: { app: "echo" }, ports },
  });
  await apply(nobody("deaf", {}), nobody("deaf-addressed", { [USE_WAYPOINT]: SERVICE_WAYPOINT }));
  await untilHolds(async () => {
    const { status, body } = await callerNamed("client").one(get(`deaf-addressed.${APPS}`));
    assert.equal(status, 503, body);
    assert.match(body, /^upstream connect error or disconnect\/reset before headers/);
  });
  await untilHolds(async () => {
    const { error } = await callerNamed("client").one(get(`deaf.${APPS}`));
    assert.match(error ?? "", /ECONNRE/);
  });
});

test("TestRemoveAddWaypoint: traffic in the mesh follows the label, and none is lost", { skip }, async () => {
  const call = get(`${PLAIN}.${APPS}`);
  await untilL7("client", call, false);
  await losesNothing(call, async () => {
    await label(`service/${PLAIN}`, `${USE_WAYPOINT}=${SERVICE_WAYPOINT}`);
    await untilL7("client", call, true);
    await untilL7("consumer", call, true);
    assertL7(await callerNamed("outside").all(call), false, "outside");
    await label(`service/${PLAIN}`, `${USE_WAYPOINT}-`);
    await untilL7("client", call, false);
  });
});

test("TestBogusUseWaypoint: a waypoint that is not there breaks nothing, and is told", { skip }, async () => {
  const call = get(`${PLAIN}.${APPS}`);
  await losesNothing(call, async () => {
    await label(`service/${PLAIN}`, `${USE_WAYPOINT}=bogus`);
    await untilHolds(async () => {
      const bound = await condition("service", PLAIN, "istio.io/WaypointBound");
      assert.equal(bound?.status, "False");
      assert.match(bound?.message ?? "", /bogus/);
    });
    assertL7(await callerNamed("client").all(call), false, "bogus");
    await label(`service/${PLAIN}`, `${USE_WAYPOINT}-`);
    await untilHolds(async () =>
      assert.equal(await condition("service", PLAIN, "istio.io/WaypointBound"), undefined),
    );
  });
});

test("TestWaypointStatus", { skip }, async () => {
  const policy = authorization(ADDRESSED, {
    action: "DENY",
    rules: [{ to: [{ operation: { paths: ["/no"] } }] }],
  });
  const orphan = authorization(PLAIN, { action: "DENY", rules: [{}] });
  await apply(policy, orphan, route(ADDRESSED, [{ backendRefs: [{ name: ADDRESSED, port: 80 }] }]));
  const expected = [
    [
      "service",
      ADDRESSED,
      "istio.io/WaypointBound",
      "True",
      "WaypointAccepted",
      /waypoint apps\/waypoint-service/,
    ],
    [
      "authorizationpolicy",
      ADDRESSED,
      "WaypointAccepted",
      "True",
      "Accepted",
      /bound to apps\/waypoint-service/,
    ],
    [
      "authorizationpolicy",
      PLAIN,
      "WaypointAccepted",
      "False",
      "AncestorNotBound",
      /not bound to a waypoint/,
    ],
    ["httproute", ADDRESSED, "Accepted", "True", "Accepted", /./],
    ["httproute", ADDRESSED, "ResolvedRefs", "True", "ResolvedRefs", /./],
    ["gateway", SERVICE_WAYPOINT, "Programmed", "True", "Programmed", /./],
  ] as const;
  for (const [kind, name, type, status, reason, message] of expected)
    await untilHolds(async () => {
      const found = await condition(kind, name, type);
      assert.equal(
        `${found?.status} ${found?.reason}`,
        `${status} ${reason}`,
        `${kind} ${name}: ${found?.message}`,
      );
      assert.match(found?.message ?? "", message);
    });
  await remove(policy, orphan, route(ADDRESSED, []));
});

test("TestWaypoint: istioctl applies, lists, tells the status of and deletes them", { skip }, async () => {
  assert.match(await waypoint("apply", "--name", "passing", "--wait"), /✅ waypoint apps\/passing is ready!/);
  const list = await waypoint("list");
  assert.match(list, /^NAME +REVISION +TRAFFIC TYPE +PROGRAMMED/m);
  assert.match(list, /^passing +default +\S+ +True/m);
  assert.match(list, new RegExp(`^${SERVICE_WAYPOINT} +default +service +True`, "m"));
  assert.match(await waypoint("status", "--name", "passing"), /passing +True +Programmed/);
  assert.match(await waypoint("delete", "passing"), /waypoint apps\/passing deleted/);
  await untilHolds(async () => {
    const left = await kubectl("get", "deploy,svc,sa,gateway", "-n", APPS, "-o", "name");
    assert.doesNotMatch(left, /passing/);
  });
});

test("TestOtherRevisionIgnored", { skip }, async () => {
  await waypoint("apply", "--name", "foreign", "--revision", "foo");
  // A later one of our own revision is there: the earlier had its time.
  await waypoint("apply", "--name", "later", "--wait");
  assert.doesNotMatch(await kubectl("get", "deploy", "-n", APPS, "-o", "name"), /foreign/);
  await waypoint("delete", "foreign", "later");
});

test("TestWaypointChanges: a changed template rolls the waypoint, and not a request is lost", {
  skip,
}, async () => {
  const parameters = {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "parameters", namespace: APPS },
    data: { deployment: "spec: { template: { spec: { terminationGracePeriodSeconds: 3 } } }" },
  };
  await apply(parameters);
  const old = await waypointAddress(SERVICE_WAYPOINT);
  const parametersRef = { group: "", kind: "ConfigMap", name: "parameters" };
  const patch = JSON.stringify({ spec: { infrastructure: { parametersRef } } });
  await losesNothing(get(`${ADDRESSED}.${APPS}`), async () => {
    await kubectl("patch", "gateway", SERVICE_WAYPOINT, "-n", APPS, "--type=merge", "-p", patch);
    await untilHolds(async () => {
      const path = "jsonpath={.spec.template.spec.terminationGracePeriodSeconds}";
      assert.equal(await kubectl("get", "deploy", SERVICE_WAYPOINT, "-n", APPS, "-o", path), "3");
    });
    await kubectl("rollout", "status", `deploy/${SERVICE_WAYPOINT}`, "-n", APPS, "--timeout=40s");
    await untilHolds(async () => {
      const pods = await kubectl("get", "pods", "-n", APPS, "-o", "jsonpath={.items[*].status.podIP}");
      assert.ok(!pods.split(" ").includes(old), "the old pod is gone");
    });
  });
});

test("TestServiceRestart: programs are rolled behind a waypoint, and not a request is lost", {
  skip,
}, async () => {
  await losesNothing(get(`${ADDRESSED}.${APPS}`), async () => {
    await kubectl("rollout", "restart", "deploy/echo-v1", "deploy/echo-v2", "-n", APPS);
    for (const name of ["echo-v1", "echo-v2"])
      await kubectl("rollout", "status", `deploy/${name}`, "-n", APPS, "--timeout=40s");
  });
});

const CANARY = "istio.io/use-waypoint-canary";

test("TestWeightedWaypointTrafficShift", { skip }, async () => {
  const call = { ...get(`${ADDRESSED}.${APPS}`), times: 60 };
  const isCanary = async (): Promise<number> => {
    const canary = await waypointAddress("canary");
    const answers = await callerNamed("client").all(call);
    assertL7(answers, true, "with a canary");
    return answers.filter((answer) => reportOf(answer)?.clientAddress.endsWith(canary)).length;
  };
  await waypoint("apply", "--name", "canary", "--for", "service", "--wait");
  await label(`service/${ADDRESSED}`, `${CANARY}=canary`);
  await annotate(`service/${ADDRESSED}`, `${CANARY}-weight=100`);
  await untilHolds(async () => assert.equal(await isCanary(), 60));
  await annotate(`service/${ADDRESSED}`, `${CANARY}-weight=50`);
  await untilHolds(async () => {
    const count = await isCanary();
    assert.ok(count > 12 && count < 48, `${count} of 60 went to the canary`);
  });
  await annotate(`service/${ADDRESSED}`, `${CANARY}-weight=0`);
  await untilHolds(async () => assert.equal(await isCanary(), 0));
});

test("TestWeightedWaypointPolicyPropagation: the canary enforces what the primary does", {
  skip,
}, async () => {
  const policy = authorization(ADDRESSED, { action: "DENY", rules: [{}] });
  await annotate(`service/${ADDRESSED}`, `${CANARY}-weight=50`);
  await apply(policy);
  await untilHolds(async () => {
    const answers = await callerNamed("client").all({ ...get(`${ADDRESSED}.${APPS}`), times: 20 });
    assert.ok(answers.every(({ status }) => status === 403));
  });
  await remove(policy);
  await untilL7("client", { ...get(`${ADDRESSED}.${APPS}`), times: 20 }, true);
});

test("TestWeightedWaypointCanaryNotReady: the primary has it all", { skip }, async () => {
  await annotate(`service/${ADDRESSED}`, `${CANARY}-weight=100`);
  await label(`service/${ADDRESSED}`, `${CANARY}=never`);
  await untilHolds(async () => {
    const bound = await condition("service", ADDRESSED, "istio.io/WaypointBound");
    assert.equal(bound?.status, "True");
    assert.match(bound?.message ?? "", /Canary waypoint not attached/);
  });
  const primary = await waypointAddress(SERVICE_WAYPOINT);
  await untilHolds(async () => {
    const answers = await callerNamed("client").all({ ...get(`${ADDRESSED}.${APPS}`), times: 20 });
    assert.ok(answers.every((answer) => reportOf(answer)?.clientAddress.endsWith(primary)));
  });
  await label(`service/${ADDRESSED}`, `${CANARY}-`);
  await annotate(`service/${ADDRESSED}`, `${CANARY}-weight-`);
  await waypoint("delete", "canary");
});

const workloadPolicy = (spec: object): object => ({
  apiVersion: "security.istio.io/v1",
  kind: "AuthorizationPolicy",
  metadata: { name: "workload", namespace: APPS },
  spec: { selector: { matchLabels: { app: GUARDED } }, ...spec },
});

test("TestAuthorizationWaypointDefaultDeny", { skip }, async () => {
  const call = get(`${GUARDED}.${APPS}`);
  const direct = get(`${await podAddress(GUARDED)}:8080`);
  const client = callerNamed("client");
  await untilL7("client", call, true);
  // Nobody may reach the workload, not even its waypoint.
  await apply(workloadPolicy({}));
  await untilHolds(async () => assert.equal((await client.one(call)).status, 503));
  // The waypoint alone may.
  const principals = [`cluster.local/ns/${APPS}/sa/${SERVICE_WAYPOINT}`];
  await apply(workloadPolicy({ rules: [{ from: [{ source: { principals } }] }] }));
  await untilL7("client", call, true);
  await untilHolds(async () => assert.match((await client.one(direct)).error ?? "", /ECONNRESET/));
  // The waypoint itself lets nobody in.
  const gateway = {
    ...workloadPolicy({}),
    metadata: { name: "waypoint", namespace: APPS },
    spec: { targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: SERVICE_WAYPOINT }] },
  };
  await apply(gateway);
  await untilHolds(async () => assert.equal((await client.one(call)).status, 403));
  await remove(gateway, workloadPolicy({}));
  await untilL7("client", call, true);
});

test("TestAuthorizationL7: what only a waypoint could read becomes a refusal at ztunnel", {
  skip,
}, async () => {
  const rules = [{ to: [{ operation: { paths: ["/allowed"] } }] }];
  await apply(workloadPolicy({ rules }));
  const direct = get(`${await podAddress(GUARDED)}:8080`);
  await untilHolds(async () =>
    assert.match((await callerNamed("client").one(direct)).error ?? "", /ECONNRESET/),
  );
  await remove(workloadPolicy({}));
  await untilL7("client", direct, false);
});

test("a ServiceEntry behind a waypoint", { skip }, async () => {
  const address = await podAddress("echo", OUTSIDE);
  const host = "external.example";
  const entry = serviceEntry(
    "external",
    {
      hosts: [host],
      addresses: ["240.10.10.10"],
      ports: [{ number: 80, name: "http", protocol: "HTTP", targetPort: 8080 }],
      resolution: "STATIC",
      location: "MESH_EXTERNAL",
      endpoints: [{ address }],
    },
    { [USE_WAYPOINT]: SERVICE_WAYPOINT },
  );
  const setsHeader = {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: "external", namespace: APPS },
    spec: {
      parentRefs: [{ group: "networking.istio.io", kind: "ServiceEntry", name: "external" }],
      rules: [
        {
          filters: [
            {
              type: "RequestHeaderModifier",
              requestHeaderModifier: { set: [{ name: "x-by", value: "waypoint" }] },
            },
          ],
          backendRefs: [{ group: "networking.istio.io", kind: "Hostname", name: host, port: 80 }],
        },
      ],
    },
  };
  await apply(entry, setsHeader);
  await untilHolds(async () => {
    const report = reportOf(await callerNamed("client").one(get(host)));
    assert.equal(report?.version, "external");
    assert.equal(report?.headers["x-by"], "waypoint");
  });
  await remove(setsHeader, entry);
});

describeAttachment();
describeLifecycle();
describeDirect();
describeTelemetry();
