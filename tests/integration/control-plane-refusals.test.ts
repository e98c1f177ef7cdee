/** What the control plane does to clients that are slow, broken or hostile; and that the others never notice. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createConnection } from "node:net";
import { after, before, test } from "node:test";
import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type StatusObject,
  status,
} from "@grpc/grpc-js";
import { ip } from "@meltemi/model";
import { eventually } from "@meltemi/testkit";
import { discovery } from "@meltemi/wire";
import { ADDRESS_TYPE_URL, AUTHORIZATION_TYPE_URL, DELTA_METHOD } from "@meltemi/xds";
import { podFacts } from "../../components/control-plane/src/compile/facts.fixture.ts";
import {
  createToken,
  startCluster,
  startControlPlane,
  type TestCluster,
  type TestControlPlane,
} from "./control-plane.fixture.ts";

let cluster: TestCluster;
let plane: TestControlPlane;
let token: string;

before(async () => {
  cluster = await startCluster();
  token = await createToken(cluster.client, "istio-system", "ztunnel");
  plane = await startControlPlane(cluster);
});

after(async () => {
  await plane?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

type Request = Omit<MessageInitShape<typeof discovery.DeltaDiscoveryRequestSchema>, "$typeName">;

const NODE = { id: "ztunnel~10.0.0.9~ztunnel-a.istio-system~istio-system.svc.cluster.local" };

interface RawStream extends Disposable {
  readonly call: ClientDuplexStream<Buffer, Buffer>;
  readonly responses: discovery.DeltaDiscoveryResponse[];
  readonly ended: Promise<StatusObject>;
  send(request: Request): void;
}

/** A client that says what it is told to, bytes and all. */
function rawStream(options: { readonly reads?: boolean } = {}): RawStream {
  const client = new Client(`127.0.0.1:${plane.plainPort}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
  });
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  const call = client.makeBidiStreamRequest(
    DELTA_METHOD,
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => bytes,
    metadata,
  );
  const responses: discovery.DeltaDiscoveryResponse[] = [];
  call.on("error", () => undefined);
  if (options.reads !== false)
    call.on("data", (bytes: Buffer) =>
      responses.push(fromBinary(discovery.DeltaDiscoveryResponseSchema, bytes)),
    );
  const ended = new Promise<StatusObject>((resolve) => call.on("status", resolve));
  return {
    call,
    responses,
    ended,
    send(request) {
      const message = create(discovery.DeltaDiscoveryRequestSchema, request);
      call.write(Buffer.from(toBinary(discovery.DeltaDiscoveryRequestSchema, message)));
    },
    [Symbol.dispose]() {
      call.cancel();
      client.close();
    },
  };
}

const OPENING: Request = { node: NODE, typeUrl: ADDRESS_TYPE_URL };

const refusals: readonly {
  readonly name: string;
  readonly open: (stream: RawStream) => void;
  readonly code: status;
}[] = [
  {
    name: "a first request without node",
    open: (s) => s.send({ typeUrl: ADDRESS_TYPE_URL }),
    code: status.INVALID_ARGUMENT,
  },
  {
    name: "a node without id",
    open: (s) => s.send({ node: { id: "" }, typeUrl: ADDRESS_TYPE_URL }),
    code: status.INVALID_ARGUMENT,
  },
  {
    name: "a node of another namespace",
    open: (s) => s.send({ ...OPENING, node: { id: "ztunnel~1~a.kube-system~x" } }),
    code: status.PERMISSION_DENIED,
  },
  {
    name: "a node id that is none",
    open: (s) => s.send({ ...OPENING, node: { id: "me" } }),
    code: status.PERMISSION_DENIED,
  },
  {
    name: "a name of 2000 characters",
    open: (s) => s.send({ ...OPENING, resourceNamesSubscribe: ["n".repeat(2000)] }),
    code: status.INVALID_ARGUMENT,
  },
  {
    name: "a hundred thousand and one names",
    open: (s) =>
      s.send({ ...OPENING, resourceNamesSubscribe: Array.from({ length: 100_001 }, (_, at) => String(at)) }),
    code: status.RESOURCE_EXHAUSTED,
  },
  {
    name: "bytes that are no message",
    open: (s) => s.call.write(Buffer.from("ffffffffffff", "hex")),
    code: status.INTERNAL,
  },
  {
    name: "a message beyond 32 MiB",
    open: (s) => s.call.write(Buffer.alloc(33 * 1024 * 1024)),
    code: status.RESOURCE_EXHAUSTED,
  },
];

for (const { name, open, code } of refusals) {
  test(`refused: ${name}`, { timeout: 20_000 }, async () => {
    using stream = rawStream();
    open(stream);
    const end = await stream.ended;
    assert.equal(status[end.code], status[code], end.details);
  });
}

test("refused: garbage on the TLS port and on the plain one", async () => {
  for (const port of [plane.securePort, plane.plainPort]) {
    const socket = createConnection({ host: "127.0.0.1", port });
    socket.on("error", () => undefined).resume();
    socket.write("GET / HTTP/1.1\r\n\r\n\0\0\0\0");
    await once(socket, "close");
  }
  using stream = rawStream();
  stream.send(OPENING);
  await eventually(() => stream.responses.length > 0);
});

test("a type that is not served is ignored, the stream goes on", async () => {
  using stream = rawStream();
  stream.send({ node: NODE, typeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster" });
  stream.send(OPENING);
  await eventually(() => stream.responses.length > 0);
});

test("an answer to no response changes nothing", async () => {
  using stream = rawStream();
  stream.send(OPENING);
  await eventually(() => stream.responses.length === 1);
  stream.send({ typeUrl: ADDRESS_TYPE_URL, responseNonce: "from-another-life" });
  changePod("stale-nonce", 1);
  const connections = () => plane.plane.discovery.connections();
  await eventually(() =>
    connections().some(({ watches }) => watches.get(ADDRESS_TYPE_URL)?.ackedNonce === ""),
  );
  assert.equal(stream.responses.length, 1, "the next response waits for the answer to the first");
  stream.send({ typeUrl: ADDRESS_TYPE_URL, responseNonce: stream.responses[0]?.nonce ?? "" });
  await eventually(() => stream.responses.length === 2);
});

/** Changes the mesh without the detour over Kubernetes. */
function changePod(name: string, version: number): void {
  const { inputs } = plane.plane.compiler;
  inputs.pods.put(
    `load/${name}`,
    podFacts({ namespace: "load", name, ips: [ip("10.9.0.1")], workloadName: `v${version}` }),
  );
  plane.plane.resources.publish(plane.plane.compiler.flush());
  plane.plane.discovery.push(0);
}

test("a policy comes before the workloads that name it, and goes after they no longer do", async () => {
  using stream = rawStream();
  const told: string[] = [];
  const { inputs } = plane.plane.compiler;
  const publish = (): void => {
    plane.plane.resources.publish(plane.plane.compiler.flush());
    plane.plane.discovery.push(0);
  };
  stream.call.on("data", (bytes: Buffer) => {
    const { typeUrl, nonce, resources, removedResources } = fromBinary(
      discovery.DeltaDiscoveryResponseSchema,
      bytes,
    );
    for (const { name } of resources) told.push(`+${name}`);
    for (const name of removedResources) told.push(`-${name}`);
    stream.send({ typeUrl, responseNonce: nonce });
  });
  const pod = podFacts({ namespace: "order", name: "a", ips: [ip("10.9.1.1")], labels: { app: "a" } });
  inputs.pods.put("order/a", pod);
  publish();
  stream.send({ node: NODE, typeUrl: AUTHORIZATION_TYPE_URL });
  stream.send(OPENING);
  await eventually(() => told.includes("+Kubernetes//Pod/order/a"));
  told.length = 0;
  const policy = {
    ...{ namespace: "order", name: "p", generation: 1, selector: { app: "a" }, targetRefs: [] },
    ...({ action: "DENY", dryRun: false, rules: [] } as const),
  };
  inputs.authorizationPolicies.put("order/p", policy);
  publish();
  await eventually(() => told.length === 2);
  inputs.authorizationPolicies.put("order/p", undefined);
  publish();
  await eventually(() => told.length === 4);
  const workload = "+Kubernetes//Pod/order/a";
  assert.deepEqual(told, ["+order/p", workload, workload, "-order/p"]);
  // Nothing else changes: a removal alone is told at once.
  inputs.authorizationPolicies.put("order/q", { ...policy, name: "q", selector: {} });
  publish();
  await eventually(() => told.length === 5);
  inputs.authorizationPolicies.put("order/q", undefined);
  publish();
  await eventually(() => told.at(-1) === "-order/q");
});

test("a client that does not read costs one response, and then gets the newest state in one more", async () => {
  for (let at = 0; at < 2000; at++) changePod(`bulk-${at}`, 0);
  using slow = rawStream({ reads: false });
  using other = rawStream();
  for (const stream of [slow, other]) stream.send(OPENING);
  await eventually(() => other.responses.length === 1);
  const heapBefore = process.memoryUsage().arrayBuffers;
  for (let version = 1; version <= 500; version++) changePod(`bulk-${version % 7}`, version);
  const grown = process.memoryUsage().arrayBuffers - heapBefore;
  assert.ok(grown < 20 * 1024 * 1024, `${grown} bytes for a client that does not read`);

  const received: discovery.DeltaDiscoveryResponse[] = [];
  slow.call.on("data", (bytes: Buffer) => {
    const response = fromBinary(discovery.DeltaDiscoveryResponseSchema, bytes);
    received.push(response);
    slow.send({ typeUrl: ADDRESS_TYPE_URL, responseNonce: response.nonce });
  });
  await eventually(() => received.length === 2);
  assert.ok((received[0]?.resources.length ?? 0) >= 2000);
  assert.equal(received[1]?.resources.length, 7);
});

test("clients that vanish are forgotten", async () => {
  const count = (): number => plane.plane.discovery.connections().length;
  // Those of the tests before, too.
  await eventually(() => count() === 0);
  const stream = rawStream();
  stream.send(OPENING);
  await eventually(() => count() === 1);
  stream[Symbol.dispose]();
  await eventually(() => count() === 0);
});
