/** Leases: what leader election stands on. */

import assert from "node:assert/strict";
import { assertRefused, at, type Contract, done, MERGE, makeNamespace, textAt } from "./contract.ts";

async function leases(api: Parameters<typeof makeNamespace>[0], name: string): Promise<string> {
  const space = await makeNamespace(api, name);
  return `/apis/coordination.k8s.io/v1/namespaces/${space.split("/").at(-1)}/leases`;
}

const spec = (holderIdentity: string, renewTime: string): object => ({
  holderIdentity,
  leaseDurationSeconds: 15,
  leaseTransitions: 0,
  acquireTime: "2026-01-02T03:04:05.000000Z",
  renewTime,
});

export function leaseCases({ case: contract }: Contract): void {
  contract("lease: times are kept to the microsecond, and are refused with less", async (api) => {
    const path = await leases(api, "micro");
    const made = await done(api, "POST", path, {
      metadata: { name: "a" },
      spec: spec("one", "2026-01-02T03:04:05.123456Z"),
    });
    assert.equal(at(made.body, "spec", "renewTime"), "2026-01-02T03:04:05.123456Z");
    const renewTime = "2026-01-02T03:04:06.000001Z";
    const renewed = await done(api, "PATCH", `${path}/a`, { spec: { renewTime } }, MERGE);
    assert.equal(at(renewed.body, "spec", "renewTime"), renewTime);
    for (const time of ["2026-01-02T03:04:07Z", "2026-01-02T03:04:07.123Z"]) {
      const answer = await api.call("PATCH", `${path}/a`, { ...MERGE, body: { spec: { renewTime: time } } });
      assert.equal(`${answer.code} ${textAt(answer.body, "reason")}`, "422 Invalid", answer.text);
    }
  });

  contract("lease: of two who take it at once, one is told of a conflict", async (api) => {
    const path = await leases(api, "race");
    const made = await done(api, "POST", path, {
      metadata: { name: "a" },
      spec: spec("none", "2026-01-02T03:04:05.000000Z"),
    });
    const resourceVersion = textAt(made.body, "metadata", "resourceVersion");
    const answers = await Promise.all(
      ["one", "two"].map((holder) =>
        api.call("PUT", `${path}/a`, {
          body: {
            metadata: { name: "a", resourceVersion },
            spec: spec(holder, "2026-01-02T03:04:07.000000Z"),
          },
        }),
      ),
    );
    assert.deepEqual(answers.map(({ code }) => code).sort(), [200, 409]);
    const [winner, loser] = answers[0]?.code === 200 ? answers : answers.toReversed();
    assert.ok(winner !== undefined && loser !== undefined);
    assertRefused(loser, {
      code: 409,
      reason: "Conflict",
      message: /the object has been modified; please apply your changes to the latest version/,
    });
    const kept = await done(api, "GET", `${path}/a`);
    assert.equal(at(kept.body, "spec", "holderIdentity"), at(winner.body, "spec", "holderIdentity"));
  });

  contract("lease: two who make it at once, one is told that it is there", async (api) => {
    const path = await leases(api, "first");
    const answers = await Promise.all(
      ["one", "two"].map((holder) =>
        api.call("POST", path, {
          body: { metadata: { name: "a" }, spec: spec(holder, "2026-01-02T03:04:05.000000Z") },
        }),
      ),
    );
    assert.deepEqual(answers.map(({ code }) => code).sort(), [201, 409]);
  });

  contract("lease: a duration that is none is refused", async (api) => {
    const path = await leases(api, "refused");
    const answer = await api.call("POST", path, {
      body: { metadata: { name: "a" }, spec: { leaseDurationSeconds: 0 } },
    });
    assertRefused(answer, {
      code: 422,
      reason: "Invalid",
      message: /spec\.leaseDurationSeconds: Invalid value: 0: must be greater than 0/,
    });
  });
}
