/** The delta client against servers that lie, stall, break off and send garbage: it refuses, reconnects, and never falls. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerDuplexStream, status } from "@grpc/grpc-js";
import { ip, type Workload } from "@meltemi/model";
import { type Clock, systemClock } from "@meltemi/runtime";
import { eventually } from "@meltemi/testkit";
import { discovery } from "@meltemi/wire";
import {
  ADDRESS_TYPE_URL,
  AUTHORIZATION_TYPE_URL,
  createXdsClient,
  DELTA_METHOD,
  encodeAddress,
  type TerminationReason,
  type XdsClient,
  type XdsUpdate,
} from "@meltemi/xds";
import fc from "fast-check";
import { quietLogger } from "./control-plane.fixture.ts";

type Call = ServerDuplexStream<discovery.DeltaDiscoveryRequest, Buffer>;

interface Scene extends AsyncDisposable {
  readonly client: XdsClient;
  readonly updates: XdsUpdate[];
  readonly ends: TerminationReason[];
  readonly requests: discovery.DeltaDiscoveryRequest[];
}

/** The waits between streams cut short; the connect timeout stays. */
const impatient: Clock = {
  ...systemClock,
  after: (delayMs, task) => systemClock.after(delayMs === 5000 ? delayMs : Math.min(delayMs, 5), task),
};

/** A server that treats each stream as `behave` says. */
async function scene(
  behave: (call: Call, stream: number) => void,
  onUpdate: (update: XdsUpdate) => void = () => undefined,
): Promise<Scene> {
  const requests: discovery.DeltaDiscoveryRequest[] = [];
  const server = new Server();
  let streams = 0;
  const delta = {
    path: DELTA_METHOD,
    requestStream: true as const,
    responseStream: true as const,
    requestDeserialize: (bytes: Buffer) => fromBinary(discovery.DeltaDiscoveryRequestSchema, bytes),
    requestSerialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  };
  server.addService(
    { delta },
    {
      delta: (call: Call) => {
        call.on("error", () => undefined);
        call.on("data", (request: discovery.DeltaDiscoveryRequest) => requests.push(request));
        behave(call, ++streams);
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const updates: XdsUpdate[] = [];
  const ends: TerminationReason[] = [];
  const client = createXdsClient(
    {
      address: `http://127.0.0.1:${port}`,
      node: { id: "ztunnel~1.1.1.1~a.ns~ns.svc.cluster.local", metadata: {} },
      clusterId: "Kubernetes",
    },
    {
      clock: impatient,
      logger: quietLogger(),
      random: Math.random,
      rootCertificates: () => Promise.resolve(undefined),
      token: () => Promise.resolve("token"),
      onUpdate(update) {
        updates.push(update);
        onUpdate(update);
        return [];
      },
      metrics: { message: () => undefined, terminated: (reason) => ends.push(reason) },
    },
  );
  client.start();
  return {
    client,
    updates,
    ends,
    requests,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      server.forceShutdown();
    },
  };
}

const WORKLOAD: Workload = {
  uid: "good",
  name: "good",
  namespace: "ns",
  addresses: [ip("10.0.0.1")],
  hostname: "",
  network: "",
  networkMode: "standard",
  tunnelProtocol: "hbone",
  nativeTunnel: false,
  trustDomain: "cluster.local",
  serviceAccount: "default",
  node: "",
  canonicalName: "",
  canonicalRevision: "",
  workloadType: "pod",
  workloadName: "",
  clusterId: "Kubernetes",
  locality: { region: "", zone: "", subzone: "" },
  authorizationPolicies: [],
  status: "healthy",
  services: new Map(),
  capacity: 1,
};

function respond(
  call: Call,
  nonce: string,
  typeUrl: string,
  resources: readonly [string, Uint8Array][],
): void {
  const response = create(discovery.DeltaDiscoveryResponseSchema, {
    nonce,
    typeUrl,
    resources: resources.map(([name, value]) => ({ name, version: "1", resource: { typeUrl, value } })),
  });
  call.write(Buffer.from(toBinary(discovery.DeltaDiscoveryResponseSchema, response)));
}

const GOOD: [string, Uint8Array] = ["good", encodeAddress({ kind: "workload", workload: WORKLOAD })];

test("garbage, sudden ends and refusals: the client comes back until someone talks sense", async () => {
  const misbehaviours: ((call: Call) => void)[] = [
    (call) => call.write(Buffer.from("ffffffffff", "hex")),
    (call) => call.end(),
    (call) => call.emit("error", { code: status.INTERNAL, details: "no" }),
    (call) => call.emit("error", { code: status.UNAUTHENTICATED, details: "no" }),
    (call) => call.emit("error", { code: status.CANCELLED, details: "no" }),
  ];
  await using play = await scene((call, stream) => {
    const misbehave = misbehaviours[stream - 1];
    if (misbehave !== undefined) {
      misbehave(call);
      return;
    }
    respond(call, "1", ADDRESS_TYPE_URL, [GOOD]);
    respond(call, "2", AUTHORIZATION_TYPE_URL, []);
  });
  await play.client.synced;
  assert.equal(play.ends.length, misbehaviours.length);
  assert.equal(play.client.heldCount(ADDRESS_TYPE_URL), 1);
});

test("bad resources are named in the NACK, the good ones are applied and held", async () => {
  await using play = await scene((call) => {
    respond(call, "n1", ADDRESS_TYPE_URL, [["bad", Uint8Array.of(255, 255)], GOOD]);
  });
  const nack = await eventually(() => play.requests.find(({ responseNonce }) => responseNonce === "n1"));
  assert.match(nack?.errorDetail?.message ?? "", /^bad: read Address/);
  const [update] = play.updates;
  assert.deepEqual(
    update?.upserts.map(({ name }) => name),
    ["good"],
  );
  assert.equal(play.client.heldCount(ADDRESS_TYPE_URL), 1);
});

test("a reader that throws refuses the response, and the stream goes on", async () => {
  let thrown = 0;
  await using play = await scene(
    (call) => respond(call, "n1", ADDRESS_TYPE_URL, [GOOD]),
    () => {
      if (thrown++ === 0) throw new Error("a bug of the reader");
    },
  );
  const nack = await eventually(() => play.requests.find(({ responseNonce }) => responseNonce === "n1"));
  assert.match(nack?.errorDetail?.message ?? "", /^good: not applied/);
  assert.equal(play.client.heldCount(ADDRESS_TYPE_URL), 0);
  assert.deepEqual(play.ends, []);
});

test("any bytes in place of responses leave the client running", { timeout: 30_000 }, async () => {
  const seed = Buffer.from(
    toBinary(
      discovery.DeltaDiscoveryResponseSchema,
      create(discovery.DeltaDiscoveryResponseSchema, {
        nonce: "n",
        typeUrl: ADDRESS_TYPE_URL,
        resources: [{ name: "good", version: "1", resource: { typeUrl: ADDRESS_TYPE_URL, value: GOOD[1] } }],
        removedResources: ["x"],
      }),
    ),
  );
  const edits = fc.sample(
    fc.array(fc.tuple(fc.nat(seed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
    60,
  );
  await using play = await scene((call, stream) => {
    const edit = edits[stream - 1];
    const bytes = Buffer.from(seed);
    for (const [at, value] of edit ?? []) bytes[at] = value;
    call.write(bytes);
    if (edit === undefined) {
      respond(call, "1", ADDRESS_TYPE_URL, [GOOD]);
      respond(call, "2", AUTHORIZATION_TYPE_URL, []);
    } else call.end();
  });
  await play.client.synced;
  assert.ok(play.ends.length >= edits.length);
});
