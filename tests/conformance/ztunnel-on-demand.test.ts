/**
 * Our ztunnel on demand (`XDS_ON_DEMAND=true`; reference: protocol §3.1, §3.8, §5.1) under a foreign istiod that tells nothing unasked but
 * the node's own pods, and answers for a service with its pods.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, beforeEach, test } from "node:test";
import { eventually } from "@meltemi/testkit";
import type { discovery } from "@meltemi/wire";
import { createForeignAuthority, type ForeignAuthority } from "./foreign-authority.fixture.ts";
import {
  ADDRESS,
  AUTHORIZATION,
  type ForeignIstiod,
  type ForeignStream,
  serviceResource,
  startForeignIstiod,
  workloadResource,
} from "./foreign-istiod.fixture.ts";
import {
  basicMesh,
  FOREIGN_ADDRESS,
  type OurZtunnel,
  startApplication,
  startOurZtunnel,
} from "./ztunnel.fixture.ts";

const deadline = { timeout: 30_000 };
const OWN_UID = "cluster-1//Pod/default/client";

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

function start(): Promise<OurZtunnel> {
  const env = { XDS_ON_DEMAND: "true", CONNECTION_TERMINATION_DEADLINE: "1ms" };
  return startOurZtunnel({ istiod, roots: authority.rootPem, env });
}

async function asked(stream: ForeignStream, name: string): Promise<discovery.DeltaDiscoveryRequest> {
  return await eventually(() =>
    stream.requests.find(({ resourceNamesSubscribe }) => resourceNamesSubscribe.includes(name)),
  );
}

/** As istiod, it tells of the node's own pods unasked. */
async function open(ours: OurZtunnel): Promise<ForeignStream> {
  await ours.listening;
  const stream = await istiod.stream(1);
  stream.respond(ADDRESS, [basicMesh()[0]]);
  // The pod's certificate is fetched ahead; an istiod that ends amid that connection's handshake would keep its socket.
  await eventually(() => istiod.certificateCalls.length > 0);
  return stream;
}

function names(stream: ForeignStream): string[] {
  return stream.requests.flatMap(({ resourceNamesSubscribe }) => resourceNamesSubscribe);
}

test(
  "§3.1 nothing of the mesh is asked for at start but the own pod; policies come all",
  deadline,
  async () => {
    await using ours = await start();
    const stream = await open(ours);
    const first = await stream.initial(ADDRESS);
    assert.deepEqual([first.resourceNamesSubscribe, first.resourceNamesUnsubscribe], [["*"], ["*"]]);
    assert.deepEqual((await stream.initial(AUTHORIZATION)).resourceNamesSubscribe, []);
    await asked(stream, OWN_UID);
    assert.deepEqual(names(stream), ["*", OWN_UID]);
  },
);

test(
  "§5.1 a stranger's address is passed through once istiod has said that it is nobody's",
  deadline,
  async () => {
    await using application = await startApplication(FOREIGN_ADDRESS, (socket) => socket.end("hello"));
    await using ours = await start();
    const stream = await open(ours);
    const socket = await ours.connect(`${FOREIGN_ADDRESS}:${application.port}`);
    let received = "";
    socket.on("data", (chunk) => {
      received += chunk;
    });
    await asked(stream, `/${FOREIGN_ADDRESS}`);
    await stream.answer(stream.respond(ADDRESS, [workloadResource({ uid: "x", name: "x", namespace: "y" })]));
    assert.equal(received, "", "not before the answer");
    stream.respond(ADDRESS, [], [`/${FOREIGN_ADDRESS}`]);
    await once(socket, "end");
    assert.equal(received, "hello");
    socket.destroy();
  },
);

test(
  "§5.1 without an answer the connection ends after five seconds, and reaches nobody",
  deadline,
  async () => {
    let reached = false;
    await using application = await startApplication(FOREIGN_ADDRESS, () => {
      reached = true;
    });
    await using ours = await start();
    await open(ours);
    const socket = await ours.connect(`${FOREIGN_ADDRESS}:${application.port}`);
    socket.resume();
    await new Promise((resolve) => socket.once("close", resolve));
    assert.equal(reached, false);
    assert.match(ours.lines.join(""), /the control plane did not answer within 5000 ms/);
  },
);

test(
  "§5.1 a VIP, the service's waypoint and its endpoints are asked for, each when it is reached",
  deadline,
  async () => {
    await using ours = await start();
    const stream = await open(ours);
    const service = serviceResource(
      {
        name: "shop",
        namespace: "default",
        hostname: "shop.default.svc.cluster.local",
        addresses: [{ network: "", address: Uint8Array.of(10, 96, 0, 7) }],
        ports: [{ servicePort: 80, targetPort: 8080 }],
        waypoint: {
          hboneMtlsPort: 15008,
          destination: { case: "hostname", value: { namespace: "default", hostname: "way.default.svc" } },
        },
      },
      "s1",
      ["/10.96.0.7"],
    );
    const socket = await ours.connect("10.96.0.7:80");
    socket.resume();
    await asked(stream, "/10.96.0.7");
    stream.respond(ADDRESS, [service]);
    await asked(stream, "default/way.default.svc");
    stream.respond(ADDRESS, [], ["default/way.default.svc"]);
    await new Promise((resolve) => socket.once("close", resolve));
    assert.match(ours.lines.join(""), /unknown waypoint: default\/way\.default\.svc/);
  },
);

test(
  "§3.1 a reconnect names what is held and what waits; the one who waits is served after it",
  deadline,
  async () => {
    await using application = await startApplication(FOREIGN_ADDRESS, (socket) => socket.end("hello"));
    await using ours = await start();
    const first = await open(ours);
    await first.answer(first.respond(ADDRESS, [], [OWN_UID]));
    await first.answer(first.respond(ADDRESS, [basicMesh()[0]]));
    const socket = await ours.connect(`${FOREIGN_ADDRESS}:${application.port}`);
    socket.resume();
    await asked(first, `/${FOREIGN_ADDRESS}`);
    istiod.answersFirst = false;
    first.call.end();
    const second = await istiod.stream(2);
    const request = await second.initial(ADDRESS);
    assert.deepEqual(request.resourceNamesSubscribe, ["*", OWN_UID, `/${FOREIGN_ADDRESS}`]);
    assert.deepEqual(request.resourceNamesUnsubscribe, ["*"]);
    assert.deepEqual(request.initialResourceVersions, { [OWN_UID]: "w1", [`/${FOREIGN_ADDRESS}`]: "" });
    second.respond(ADDRESS, [], [`/${FOREIGN_ADDRESS}`]);
    await once(socket, "end");
    socket.destroy();
  },
);
