/** The process itself: floods, garbage from every side, its own metrics over HBONE, kill -9 (reference: protocol §10, §11.3). */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { createEbpfCapture, removeEbpfCapture } from "@meltemi/ebpf";
import { HBONE_CLIENT_DEFAULTS } from "@meltemi/hbone";
import { listenSeqpacket, openNetworkNamespace } from "@meltemi/linux";
import { newWorkload, type Workload } from "@meltemi/model";
import { CROWDED, limitsFor } from "@meltemi/proxy-process";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import {
  createNetnsLab,
  createTemporaryFolder,
  createTestAuthority,
  eventually,
  type NetnsLab,
  startTcpServer,
  type TemporaryFolder,
} from "@meltemi/testkit";
import { createZdsServer, type ZdsPod, type ZdsServer } from "@meltemi/zds";
import { ANSWER, type Client, createMeshPod, type MeshPod } from "./ztunnel-pod.fixture.ts";
import {
  type ControlPlane,
  logged,
  spawnZtunnel,
  startControlPlane,
  type ZtunnelProcess,
} from "./ztunnel-process.fixture.ts";

const PORT = 8080;
const NAME = "mlx-zp";
const PIN_FOLDER = `/sys/fs/bpf/${NAME}`;
const CONNECTIONS = 10_000;
/** Fewer than a listener's queue holds: a caller beyond it is tried again by its kernel, a second later. */
const AT_ONCE = 100;
/** A connection here is two: into the tunnel and out of it again, in one process. */
const MOST_HEAP_BYTES = 24 * 1024;
/** The heap may be twice what it holds; 16 KiB for two sockets and their kin outside of it. */
const MOST_RESIDENT_BYTES = 2 * MOST_HEAP_BYTES + 16 * 1024;
const log = createLogger(
  {
    filter: new LogFilter("error"),
    format: "plain",
    nowMs: Date.now,
    write: (line) => process.stderr.write(line),
  },
  "agent",
);

let lab: NetnsLab;
let folder: TemporaryFolder;
let agent: ZdsServer;
let capture: ReturnType<typeof createEbpfCapture>;
let controlPlane: ControlPlane;
let ztunnel: ZtunnelProcess;
let pods: Readonly<Record<"ztunnel" | "client" | "server", MeshPod>>;
const zdsPods = new Map<string, ZdsPod>();
const startAgent = (): ZdsServer =>
  createZdsServer(
    { path: folder.file("zds.sock") },
    { clock: systemClock, log, pods: { uids: () => [...zdsPods.keys()], find: (uid) => zdsPods.get(uid) } },
  );
const spawn = (): ZtunnelProcess => spawnZtunnel(pods.ztunnel.place, "a", folder.file("zds.sock"));
const call = (text?: string): Promise<string> => pods.client.call(pods.server.ipv4, PORT, text);
const get = (pod: MeshPod, path: string, port: number): Promise<string> =>
  pod.call(pods.ztunnel.ipv4, port, `GET ${path} HTTP/1.1\r\nhost: ztunnel\r\nconnection: close\r\n\r\n`);

before(async () => {
  removeEbpfCapture(PIN_FOLDER);
  lab = await createNetnsLab(NAME);
  folder = await createTemporaryFolder(NAME);
  const node = await lab.node("a");
  capture = createEbpfCapture(
    { pinFolder: PIN_FOLDER, nodeNetns: openNetworkNamespace(node.path) },
    { log, clock: systemClock },
  );
  const make = async (name: string, given: Partial<Workload> = {}): Promise<MeshPod> => {
    const place = await node.pod(name);
    const workload = newWorkload({
      uid: `pod-${name}`,
      name,
      namespace: "default",
      serviceAccount: name,
      workloadName: name,
      addresses: [place.ipv4, place.ipv6],
      tunnelProtocol: "hbone",
      node: "a",
      ...given,
    });
    return createMeshPod(place, workload);
  };
  pods = {
    ztunnel: await make("ztunnel", { namespace: "istio-system" }),
    client: await make("client"),
    server: await make("server"),
  };
  await pods.server.serve(PORT);
  for (const { workload, netns } of [pods.client, pods.server]) {
    const { uid, addresses } = workload;
    await capture.enrol({ uid, netns, addresses, captureDns: true, captureInbound: true });
    zdsPods.set(uid, { uid, workload, netnsFd: netns.fd });
  }
  controlPlane = await startControlPlane(createTestAuthority(), pods.ztunnel.netns);
  controlPlane.put(...Object.values(pods).map(({ workload }) => workload));
  agent = startAgent();
  ztunnel = spawn();
  await eventually(
    async () => {
      assert.match(await get(pods.ztunnel, "/healthz/ready", 15021), / 200 /, ztunnel.lines.join("\n"));
      return true;
    },
    { deadlineMs: 20_000 },
  );
});
after(async () => {
  for (const pod of Object.values(pods ?? {})) pod[Symbol.dispose]();
  agent?.close();
  await controlPlane?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
  capture?.close();
  removeEbpfCapture(PIN_FOLDER);
  await folder?.[Symbol.asyncDispose]();
});

test("the process serves its pods", async () => {
  assert.equal(await call(), ANSWER);
  await logged(
    ztunnel,
    /connection complete.*src\.workload="client".*direction="outbound" bytes_sent=11 bytes_recv=22/,
  );
  await logged(
    ztunnel,
    /connection complete.*dst\.workload="server".*direction="inbound" bytes_sent=22 bytes_recv=11/,
  );
});

test("a captured client reads ztunnel's metrics through ztunnel's own HBONE listener", async () => {
  const answer = await get(pods.client, "/metrics", 15020);
  assert.match(answer, /HTTP\/1\.1 200 /);
  assert.match(answer, /istio_tcp_connections_opened_total/);
  const principals =
    /src\.identity="spiffe:\/\/cluster\.local\/ns\/default\/sa\/client".*dst\.workload="ztunnel".*dst\.identity="spiffe:\/\/cluster\.local\/ns\/istio-system\/sa\/ztunnel"/;
  await logged(ztunnel, new RegExp(`${principals.source}.*direction="inbound"`));
  // Its own listener is for the metrics and for nothing else.
  assert.doesNotMatch(await get(pods.client, "/healthz/ready", 15021), /200/);
});

test("garbage on the ports of the process gets 400 from HTTP servers and nothing from others", async () => {
  for (const port of [15000, 15001, 15006, 15008, 15020, 15021, 15080]) {
    const answer = await pods.ztunnel.call(pods.ztunnel.ipv4, port, "hello\r\n\r\n");
    if (port === 15020 || port === 15021) assert.match(answer, /HTTP\/1\.1 400 /);
    else assert.doesNotMatch(answer, /hello|HTTP/);
  }
  assert.equal(await call(), ANSWER);
});

test("a second ztunnel in the same place finds its ports taken, and says so", async () => {
  const second = spawn();
  await logged(second, /EADDRINUSE.*15000|15000.*EADDRINUSE/);
  assert.equal(await second.ended, 1);
  assert.equal(await call(), ANSWER);
});

test("malformed xDS is refused by name, and what was known stays", async () => {
  controlPlane.sayAddress("bad", Uint8Array.of(255, 255, 255));
  await eventually(() => controlPlane.refusals.some((text) => /^bad: read Address/.test(text)));
  const before = controlPlane.streams;
  controlPlane.say(Buffer.from("ffffffffffffffff", "hex"));
  await eventually(() => controlPlane.streams > before, { deadlineMs: 20_000 });
  for (let round = 0; round < 20; round++) controlPlane.sayAddress(`bad-${round}`, randomBytes(64));
  assert.equal(await call(), ANSWER);
});

test(`${CONNECTIONS} connections at once: as many as fit are right, the rest are refused, all is given back`, {
  timeout: 120_000,
}, async () => {
  // A process of its own: the ends of all connections are more than this one may hold.
  const many = await startTcpServer(pods.server.place, { port: PORT + 1, mode: "double" });
  using server = new DisposableStack();
  server.defer(() => many.stop());
  const fit = connectionsThatFit(ztunnel.maxOpenFiles());
  const idle = {
    files: ztunnel.openFiles(),
    heap: await ztunnel.heapBytes(),
    bytes: ztunnel.residentBytes(),
  };
  const left: number[] = [];
  for (let wave = 0; wave < 2; wave++) {
    // Closed when something fails as well: the tests after this one need their places.
    using held = new DisposableStack();
    const open: Client[] = [];
    const refusals: string[] = [];
    await inTurns(Array.from({ length: CONNECTIONS }), AT_ONCE, () =>
      pods.client.connect(pods.server.ipv4, many.port).then(
        (client) => void open.push(held.use(client)),
        (error: Error) => void refusals.push(error.message),
      ),
    );
    await inTurns(open, 250, (client, index) =>
      client.exchange(`connection ${index}`).catch((error: Error) => void refusals.push(error.message)),
    );
    for (const refusal of refusals) assert.match(refusal, /ECONNRESET|EPIPE/);
    const carried = CONNECTIONS - refusals.length;
    assert.ok(carried >= fit, `${carried} carried, ${fit} fit`);
    const resident = ztunnel.residentBytes() - idle.bytes;
    assert.ok(resident < carried * MOST_RESIDENT_BYTES, `${resident} bytes for ${carried} connections`);
    const heap = (await ztunnel.heapBytes()) - idle.heap;
    assert.ok(heap < carried * MOST_HEAP_BYTES, `${heap} bytes of heap for ${carried} connections`);
    held.dispose();
    // All descriptors but those of the tunnels, which wait for further use with two ends each in this process.
    const tunnels = 2 * Math.ceil(carried / HBONE_CLIENT_DEFAULTS.maxStreams + 2);
    await eventually(() => ztunnel.openFiles() <= idle.files + tunnels, { deadlineMs: 30_000 });
    left.push(await ztunnel.heapBytes());
  }
  const [first = 0, second = 0] = left;
  // What the first wave left serves the second one as well: of ten connections not one is kept by somebody.
  assert.ok(
    second - first < (fit / 10) * MOST_HEAP_BYTES,
    `${first} bytes after a wave, ${second} after the next`,
  );
  assert.match(await get(pods.ztunnel, "/metrics", 15020), /istio_tcp_sockets_open\{reporter="source"\} 0/);
  assert.equal(await call(), ANSWER);
});

/**
 * A connection has two places in this process, out of one pod and into another, and a part of those of a tunnel, which are two as well. Where
 * places are few every pod is held to its share, which both have passed by then; and the last callers at once may each hold the first
 * place of theirs while they ask for the second, which nobody gets.
 */
function connectionsThatFit(maxOpenFiles: number): number {
  const places = Math.floor(limitsFor(maxOpenFiles).process * CROWDED) - AT_ONCE;
  return Math.min(CONNECTIONS, Math.floor(places / (2 + 2 / HBONE_CLIENT_DEFAULTS.maxStreams)) - 1);
}

test("killed without warning: captured pods are refused meanwhile, and served by the next one", async () => {
  using open = await pods.client.connect(pods.server.ipv4, PORT);
  await open.exchange("one");
  ztunnel.kill("SIGKILL");
  await ztunnel.ended;
  await open.over;
  assert.doesNotMatch(await call(), /hello/);
  ztunnel = spawn();
  await eventually(async () => (await call()) === ANSWER, { deadlineMs: 20_000 });
});

test("an agent that does not speak the protocol is refused; the process drains and ends with 1, as Istio's", async () => {
  using open = await pods.client.connect(pods.server.ipv4, PORT);
  await open.exchange("one");
  agent.close();
  using listener = listenSeqpacket({ path: folder.file("zds.sock"), backlog: 1, mode: 0o600 });
  using connection = await listener.accept(AbortSignal.timeout(20_000));
  await open.exchange("two");
  await connection.send(Buffer.from("ffffffff", "hex"));
  await logged(ztunnel, /proxy failed.*CNI agent/);
  assert.equal(await ztunnel.ended, 1);
  listener.close();
  agent = startAgent();
  ztunnel = spawn();
  await eventually(async () => (await call()) === ANSWER, { deadlineMs: 20_000 });
});

test("SIGTERM drains and ends with 0", async () => {
  using open = await pods.client.connect(pods.server.ipv4, PORT);
  await open.exchange("one");
  ztunnel.kill("SIGTERM");
  await logged(ztunnel, /shutdown: draining/);
  await open.exchange("two");
  open.socket.end();
  assert.equal(await ztunnel.ended, 0);
});

/** Few at a time: beyond what a listener's queue holds, kernels wait a second before they try again. */
async function inTurns<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T, index: number) => Promise<void>,
) {
  for (let from = 0; from < items.length; from += atOnce)
    await Promise.all(items.slice(from, from + atOnce).map((item, index) => work(item, from + index)));
}
