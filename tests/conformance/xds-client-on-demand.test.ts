/** Delta ADS as a client on demand (reference: protocol §3.1, §3.8). What our ztunnel makes of it is in `ztunnel-on-demand.test.ts`. */

import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { systemClock } from "@meltemi/runtime";
import { eventually } from "@meltemi/testkit";
import type { discovery } from "@meltemi/wire";
import { createXdsClient, type XdsClient, type XdsUpdate } from "@meltemi/xds";
import { quietLogger } from "../integration/control-plane.fixture.ts";
import { createForeignAuthority, type ForeignAuthority } from "./foreign-authority.fixture.ts";
import {
  ADDRESS,
  AUTHORIZATION,
  type ForeignIstiod,
  ISTIOD_HOSTNAME,
  startForeignIstiod,
  workloadResource,
} from "./foreign-istiod.fixture.ts";

const deadline = { timeout: 20_000 };

let authority: ForeignAuthority;
let istiod: ForeignIstiod;

before(() => {
  authority = createForeignAuthority();
});
after(async () => {
  await istiod?.[Symbol.asyncDispose]();
  authority?.[Symbol.dispose]();
});
beforeEach(async () => {
  await istiod?.[Symbol.asyncDispose]();
  istiod = await startForeignIstiod(authority);
});

const pod = (uid: string, version = "w1") =>
  workloadResource({ uid, name: uid, namespace: "default" }, version);

interface Demanding extends AsyncDisposable {
  readonly client: XdsClient;
  readonly updates: XdsUpdate[];
}

function demanding(): Demanding {
  const updates: XdsUpdate[] = [];
  const client = createXdsClient(
    {
      address: `https://127.0.0.1:${istiod.port}`,
      alternateHostname: ISTIOD_HOSTNAME,
      node: { id: "ztunnel~1.1.1.1~a.b~b.svc.cluster.local", metadata: {} },
      clusterId: "Kubernetes",
      onDemand: true,
    },
    {
      clock: systemClock,
      logger: quietLogger(),
      random: Math.random,
      rootCertificates: async () => authority.rootPem,
      token: async () => "token",
      onUpdate: (update) => {
        updates.push(update);
        return [];
      },
    },
  );
  client.start();
  return { client, updates, [Symbol.asyncDispose]: () => client[Symbol.asyncDispose]() };
}

const asking = (name: string) => (stream: { requests: discovery.DeltaDiscoveryRequest[] }) =>
  eventually(() =>
    stream.requests.find(({ resourceNamesSubscribe }) => resourceNamesSubscribe.includes(name)),
  );

test("§3.1 on demand: leaves the wildcard at once, and asks for one name at a time", async () => {
  await using on = demanding();
  const stream = await istiod.stream(1);
  const first = await stream.initial(ADDRESS);
  assert.deepEqual([first.resourceNamesSubscribe, first.resourceNamesUnsubscribe], [["*"], ["*"]]);
  assert.deepEqual((await stream.initial(AUTHORIZATION)).resourceNamesSubscribe, []);
  const waiting = on.client.fetch("net/10.0.0.1");
  const request = await asking("net/10.0.0.1")(stream);
  assert.deepEqual([request.resourceNamesSubscribe, request.responseNonce], [["net/10.0.0.1"], ""]);
  stream.respond(ADDRESS, [{ ...pod("uid-1"), aliases: ["net/10.0.0.1"] }]);
  await waiting;
});

test(
  "§3.8 on demand: who asked by address is woken by the alias, by the name of another resource, or by its removal",
  deadline,
  async () => {
    await using on = demanding();
    const stream = await istiod.stream(1);
    await stream.initial(AUTHORIZATION);
    const vip = on.client.fetch("net/10.96.0.1");
    const nobody = on.client.fetch("net/10.9.9.9");
    const uid = on.client.fetch("uid-2");
    await asking("uid-2")(stream);
    stream.respond(
      ADDRESS,
      [
        { ...pod("uid-service"), aliases: ["net/10.96.0.1", "net/fd00::1"] },
        pod("uid-2"),
        pod("uid-backend"),
      ],
      ["net/10.9.9.9"],
    );
    await Promise.all([vip, nobody, uid]);
    assert.equal(on.client.heldCount(ADDRESS), 3);
  },
);

test(
  "§3.1 on demand: a reconnect names what is held, and what was asked for and not answered",
  deadline,
  async () => {
    await using on = demanding();
    const first = await istiod.stream(1);
    const answered = on.client.fetch("net/10.0.0.1");
    await asking("net/10.0.0.1")(first);
    first.respond(ADDRESS, [{ ...pod("uid-1", "v7"), aliases: ["net/10.0.0.1"] }]);
    await answered;
    const waiting = on.client.fetch("net/10.0.0.2");
    await asking("net/10.0.0.2")(first);
    first.call.end();
    const second = await istiod.stream(2);
    const request = await second.initial(ADDRESS);
    assert.deepEqual(request.resourceNamesUnsubscribe, ["*"]);
    assert.equal(request.initialResourceVersions["uid-1"], "v7");
    assert.equal(request.initialResourceVersions["net/10.0.0.2"], "");
    second.respond(ADDRESS, [], ["net/10.0.0.2"]);
    await waiting;
  },
);
