/**
 * Our ztunnel on demand under our own control plane, with a mesh of 10 000 workloads: it holds what its pods asked for and no more,
 * and traffic goes where it goes when everything is known. The mesh is put where the compiler would put it.
 */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  ip,
  networkAddressKey,
  newService,
  newWorkload,
  type Service,
  serviceKey,
  type Workload,
} from "@meltemi/model";
import { eventually } from "@meltemi/testkit";
import { ADDRESS_TYPE_URL, type EncodedResource, encodeAddress, encodeResource, nodeKey } from "@meltemi/xds";
import { type OurZtunnel, startApplication, startOurZtunnel } from "../conformance/ztunnel.fixture.ts";
import {
  createToken,
  startCluster,
  startControlPlane,
  type TestCluster,
  type TestControlPlane,
} from "./control-plane.fixture.ts";

const deadline = { timeout: 60_000 };
const SERVER = "127.0.0.3";
const VIP = "10.96.0.7";
const STRANGERS = 10_000;

let cluster: TestCluster;
let plane: TestControlPlane;
let token: string;
let application: Awaited<ReturnType<typeof startApplication>>;

before(async () => {
  cluster = await startCluster();
  token = await createToken(cluster.client, "istio-system", "ztunnel");
  plane = await startControlPlane(cluster);
  application = await startApplication(SERVER, (socket) => socket.end("hello"));
  put(pod("client", "127.0.0.2", { node: "node-a", tunnelProtocol: "hbone", serviceAccount: "client" }));
  put(
    ...Array.from({ length: STRANGERS }, (_, at) =>
      pod(`p${at}`, `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`),
    ),
  );
  const ports = [{ servicePort: 80, targetPort: application.port, appProtocol: "unknown" }] as const;
  const shop = newService({
    name: "shop",
    namespace: "default",
    hostname: "shop.default.svc.cluster.local",
    vips: [{ network: "", ip: ip(VIP) }],
    ports,
  });
  put(shop, pod("server", SERVER, { services: new Map([[serviceKey(shop), ports]]) }));
});

after(async () => {
  await application?.[Symbol.asyncDispose]();
  await plane?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

function pod(name: string, address: string, given: Partial<Workload> = {}): Workload {
  const uid = `Kubernetes//Pod/default/${name}`;
  return newWorkload({
    uid,
    name,
    namespace: "default",
    node: "node-far",
    addresses: [ip(address)],
    ...given,
  });
}

function put(...items: readonly (Workload | Service)[]): void {
  plane.plane.resources.addresses.apply(items.map(encoded), []);
}

function encoded(item: Workload | Service): EncodedResource {
  const isWorkload = "uid" in item;
  const aliases = isWorkload
    ? item.addresses.map((address) => networkAddressKey(item.network, address))
    : item.vips.map((vip) => networkAddressKey(vip.network, vip.ip));
  return encodeResource({
    typeUrl: ADDRESS_TYPE_URL,
    name: isWorkload ? item.uid : serviceKey(item),
    value: encodeAddress(
      isWorkload ? { kind: "workload", workload: item } : { kind: "service", service: item },
    ),
    aliases,
    related: isWorkload ? [...item.services.keys(), nodeKey(item.node)] : [],
  });
}

async function start(onDemand: boolean): Promise<OurZtunnel> {
  const ours = await startOurZtunnel({
    istiod: { port: plane.securePort },
    roots: plane.rootPem,
    env: {
      XDS_ON_DEMAND: String(onDemand),
      AUTH_TOKEN: token,
      ISTIO_META_CLUSTER_ID: "Kubernetes",
      CONNECTION_TERMINATION_DEADLINE: "1ms",
    },
  });
  await ours.listening;
  await eventually(() => uids(ours).length > 0);
  return ours;
}

function uids(ours: OurZtunnel): string[] {
  const found: string[] = [];
  ours.ztunnel.mesh.current.workloads.forEach((_workload, uid) => void found.push(uid));
  return found.map((uid) => uid.slice(uid.lastIndexOf("/") + 1)).sort();
}

async function answerOf(ours: OurZtunnel, destination: string): Promise<string> {
  const socket = await ours.connect(destination);
  let received = "";
  socket.on("data", (chunk) => {
    received += chunk;
  });
  socket.on("end", () => socket.end());
  await new Promise((resolve) => socket.once("close", resolve));
  return received;
}

test("it starts with the pods of its node, and learns what its pods connect to", deadline, async () => {
  await using ours = await start(true);
  assert.deepEqual(uids(ours), ["client"]);
  assert.equal(await answerOf(ours, `${VIP}:80`), "hello");
  assert.deepEqual(uids(ours), ["client", "server"]);
  assert.equal(await answerOf(ours, `${SERVER}:${application.port}`), "hello");
  // An address of nobody: passed through, and nobody listens there.
  assert.equal(await answerOf(ours, "127.0.0.99:9"), "");
  assert.match(ours.lines.join(""), /dst\.addr=127\.0\.0\.99:9 .*connection failed/);
  assert.deepEqual(uids(ours), ["client", "server"]);
  assert.match(ours.metrics(), /meltemi_xds_followed_names 5\n/, "itself, a VIP, its service, two addresses");
});

test("what was nobody's is told when it comes, and what it knows is kept up to date", deadline, async () => {
  await using ours = await start(true);
  assert.equal(await answerOf(ours, "10.200.0.1:80"), "");
  put(pod("late", "10.200.0.1"));
  await answerOf(ours, `${SERVER}:${application.port}`);
  const uid = "Kubernetes//Pod/default/late";
  await eventually(async () => {
    // The control plane sends when it is spoken to: nothing was published by its compiler.
    await answerOf(ours, `127.0.0.${100 + Math.floor(Math.random() * 100)}:9`);
    return ours.ztunnel.mesh.current.workloads.get(uid);
  });
  plane.plane.resources.addresses.apply([], [uid]);
  await eventually(async () => {
    await answerOf(ours, `127.0.1.${100 + Math.floor(Math.random() * 100)}:9`);
    return ours.ztunnel.mesh.current.workloads.get(uid) === undefined;
  });
});

test("its heap does not grow with the mesh", deadline, async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const heapOf = async (onDemand: boolean): Promise<number> => {
    // The first collection only begins to release buffers.
    collect();
    collect();
    const beforeBytes = process.memoryUsage().heapUsed;
    await using ours = await start(onDemand);
    assert.equal(await answerOf(ours, `${VIP}:80`), "hello");
    collect();
    collect();
    assert.equal(uids(ours).length, onDemand ? 2 : STRANGERS + 2);
    return process.memoryUsage().heapUsed - beforeBytes;
  };
  // Code and caches of the process are made by the first.
  await heapOf(true);
  await heapOf(false);
  const [onDemand, whole] = [await heapOf(true), await heapOf(false)];
  assert.ok(onDemand < whole / 4, `${onDemand} bytes on demand, ${whole} for the whole mesh`);
});
