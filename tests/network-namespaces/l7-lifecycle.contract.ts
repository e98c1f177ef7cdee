/** Parts of the mesh come and go under requests that pass a waypoint (reference: l7-and-cli §8.3, §8.7). */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ADDRESSED,
  callerNamed,
  get,
  losesNothing,
  SERVICE_WAYPOINT,
  untilHolds,
  untilL7,
} from "./l7-ambient.fixture.ts";
import { apply, kubectl, remove, skip } from "./l7-cluster.fixture.ts";
import { APPS, authorization } from "./l7-objects.fixture.ts";

const CALL = get(`${ADDRESSED}.${APPS}`);
const ISTIOD = ["deploy/istiod", "-n", "istio-system"];

const VALIDATOR = ["validatingwebhookconfiguration", "istiod-default-validator"];

/** As docs/validation.md has it for a control plane that is away. */
async function takeUnjudged(): Promise<void> {
  const patch = [{ op: "replace", path: "/webhooks/0/failurePolicy", value: "Ignore" }];
  await kubectl("patch", ...VALIDATOR, "--type=json", "-p", JSON.stringify(patch));
}

const failurePolicies = (): Promise<string> =>
  kubectl("get", ...VALIDATOR, "-o", "jsonpath={.webhooks[*].failurePolicy}");

async function roll(what: string, namespace: string): Promise<void> {
  await kubectl("rollout", "restart", what, "-n", namespace);
  await kubectl("rollout", "status", what, "-n", namespace, "--timeout=60s");
}

export function describeLifecycle(): void {
  test("requests that are under way when a waypoint is rolled are answered", { skip }, async () => {
    const slow = { ...CALL, times: 5, together: true, headers: { "x-echo": "delay=2000" } };
    const stream = { kind: "websocket", url: `ws://${ADDRESSED}.${APPS}/`, messages: ["a", "b"] } as const;
    const answers = callerNamed("client").all(slow);
    // Whoever asked later was answered: the slow ones are with the program.
    await untilL7("client", CALL, true);
    await roll(`deploy/${SERVICE_WAYPOINT}`, APPS);
    assert.deepEqual(
      (await answers).map(({ status, error }) => error ?? status),
      [200, 200, 200, 200, 200],
    );
    assert.equal((await callerNamed("client").one(stream)).status, 1000);
  });

  test("TestZtunnelRestart: ztunnels are rolled, and not a request is lost", { skip }, async () => {
    await losesNothing(CALL, () => roll("daemonset/ztunnel", "istio-system"));
    await untilL7("client", CALL, true);
  });

  test("requests pass without a control plane, and a policy made meanwhile holds when it is back", {
    skip,
  }, async () => {
    const policy = authorization(ADDRESSED, { action: "DENY", rules: [{}] }, "made-meanwhile");
    await losesNothing(CALL, async () => {
      await kubectl("scale", ...ISTIOD, "--replicas=0");
      await untilHolds(async () => {
        const pods = await kubectl("get", "pods", "-n", "istio-system", "-l", "app=istiod", "-o", "name");
        assert.equal(pods, "");
      });
      await callerNamed("client").all({ ...CALL, times: 50 });
    });
    // Nobody is there to judge it: refused, until whoever runs the mesh says otherwise.
    await assert.rejects(
      apply(policy),
      /failed calling webhook .*no endpoints available for service "istiod"/,
    );
    await takeUnjudged();
    await apply(policy);
    await untilL7("client", CALL, true);
    await kubectl("scale", ...ISTIOD, "--replicas=1");
    await untilHolds(async () => assert.equal((await callerNamed("client").one(CALL)).status, 403));
    // The control plane that is back makes the webhook fail closed again.
    await untilHolds(async () => assert.match(await failurePolicies(), /^Fail$/));
    await remove(policy);
    await untilL7("client", CALL, true);
  });

  test("a waypoint that vanishes is made again, and its service with it", { skip }, async () => {
    const selector = `gateway.networking.k8s.io/gateway-name=${SERVICE_WAYPOINT}`;
    await kubectl("delete", "pod", "-n", APPS, "-l", selector, "--force", "--grace-period=0");
    await untilL7("client", { ...CALL, times: 20 }, true);
  });
}
