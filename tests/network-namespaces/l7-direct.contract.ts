/** Tunnels of a client's own making, straight to a waypoint (reference: l7-and-cli §8.3, TestDirect). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { certificatePem } from "@meltemi/identity";
import { createTestAuthority, type TestAuthority } from "@meltemi/testkit";
import {
  ADDRESSED,
  callerNamed,
  PLAIN,
  podAddress,
  SERVICE_WAYPOINT,
  untilHolds,
  WORKLOAD,
  WORKLOAD_WAYPOINT,
  waypointAddress,
} from "./l7-ambient.fixture.ts";
import { type Answer, passedL7 } from "./l7-calls.fixture.ts";
import { kubectl, skip } from "./l7-cluster.fixture.ts";
import { APPS } from "./l7-objects.fixture.ts";

/** The CA of the whole mesh, so that these tests can be whoever they like. */
export const authority: TestAuthority = createTestAuthority();

/** From outside the mesh, where nobody captures it. */
async function tunnel(waypoint: string, target: string, issuer: TestAuthority = authority): Promise<Answer> {
  const { leaf, privateKey } = issuer.issue(`${APPS}/client`);
  return await callerNamed("outside").one({
    kind: "tunnel",
    proxy: `${await waypointAddress(waypoint)}:15008`,
    authority: target,
    certificate: certificatePem(leaf),
    key: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
  });
}

const vip = async (name: string): Promise<string> =>
  await kubectl("get", "service", name, "-n", APPS, "-o", "jsonpath={.spec.clusterIP}");

const isServed = (answer: Answer): void => {
  assert.equal(answer.status, 200, JSON.stringify(answer));
  assert.ok(passedL7(answer));
};
const isRefused = (status: number) => (answer: Answer) =>
  assert.equal(answer.status, status, JSON.stringify(answer));

interface Case {
  readonly name: string;
  readonly waypoint: string;
  readonly target: () => Promise<string>;
  readonly check: (answer: Answer) => void;
}

const CASES: readonly Case[] = [
  {
    name: "a service's VIP",
    waypoint: SERVICE_WAYPOINT,
    target: async () => `${await vip(ADDRESSED)}:80`,
    check: isServed,
  },
  {
    name: "a service's VIP, unknown port",
    waypoint: SERVICE_WAYPOINT,
    target: async () => `${await vip(ADDRESSED)}:12345`,
    check: isRefused(503),
  },
  {
    name: "a pod's address",
    waypoint: WORKLOAD_WAYPOINT,
    target: async () => `${await podAddress(WORKLOAD)}:8080`,
    check: isServed,
  },
  {
    name: "a VIP that is not served",
    waypoint: SERVICE_WAYPOINT,
    target: async () => `${await vip(PLAIN)}:80`,
    check: isRefused(400),
  },
  {
    name: "a pod that is not served",
    waypoint: WORKLOAD_WAYPOINT,
    target: async () => `${await podAddress("echo")}:8080`,
    check: isRefused(400),
  },
  {
    name: "the waypoint itself",
    waypoint: SERVICE_WAYPOINT,
    target: async () => `${await waypointAddress(SERVICE_WAYPOINT)}:15000`,
    check: isRefused(503),
  },
  {
    name: "an address of nobody",
    waypoint: SERVICE_WAYPOINT,
    target: async () => "192.0.2.1:80",
    check: isRefused(400),
  },
];

export function describeDirect(): void {
  for (const { name, waypoint, target, check } of CASES)
    test(`TestDirect: ${name}`, { skip }, async () => {
      // What was bound a moment ago is served on for a while.
      await untilHolds(async () => check(await tunnel(waypoint, await target())));
    });

  test("TestDirect: nobody without a certificate of the mesh", { skip }, async () => {
    const answer = await tunnel(SERVICE_WAYPOINT, `${await vip(ADDRESSED)}:80`, createTestAuthority());
    assert.equal(answer.status, 0);
    assert.notEqual(answer.error, undefined);
  });
}
