import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { closeSync, openSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { after, test } from "node:test";
import { createUdpSocket } from "@meltemi/linux";
import { ip, newService, newWorkload } from "@meltemi/model";
import { createMeshStore } from "@meltemi/proxy-process";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import packet from "dns-packet";
import { createPodSockets } from "../sockets/pod-sockets.ts";
import { createDnsMetrics } from "../telemetry/dns-metrics.ts";
import { createDnsHandler } from "./dns-handler.ts";
import { startDnsServer } from "./dns-server.ts";
import { createForwarder } from "./forwarder.ts";
import { readQuery } from "./message.ts";
import { FrameReader, frame } from "./tcp-framing.ts";

const cleanUps: (() => void)[] = [];
after(() => {
  for (const cleanUp of cleanUps) cleanUp();
});

/** Answers A questions with 1.2.3.4, except for names that begin with `silent`. */
async function startUpstream(): Promise<number> {
  const answer = (bytes: Uint8Array): Uint8Array | undefined => {
    const asked = packet.decode(Buffer.from(bytes));
    const name = asked.questions?.[0]?.name ?? "";
    if (name.startsWith("silent")) return undefined;
    const records: packet.Answer[] = name.startsWith("missing") ? [] : [{ type: "A", name, data: "1.2.3.4" }];
    return packet.encode({
      type: "response",
      id: asked.id ?? 0,
      flags: name.startsWith("missing") ? 3 : 0,
      questions: asked.questions ?? [],
      answers: records,
    });
  };
  const tcp = createServer((socket) => {
    const reader = new FrameReader();
    socket.on("data", (chunk) => {
      const frames = reader.push(chunk);
      if (frames.kind === "ok")
        for (const one of frames.messages) socket.end(frame(answer(one) ?? Buffer.alloc(0)));
    });
  });
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket("udp4");
  udp.on("message", (bytes, from) => {
    const reply = answer(bytes);
    if (reply === undefined) return;
    // A forged answer first: it must not be believed.
    const forged = Buffer.from(reply);
    forged.writeUInt16BE((forged.readUInt16BE(0) + 1) & 0xffff, 0);
    udp.send(forged, from.port, from.address);
    udp.send(reply, from.port, from.address);
  });
  await new Promise<void>((resolve) => udp.bind(port, "127.0.0.1", resolve));
  cleanUps.push(
    () => tcp.close(),
    () => udp.close(),
  );
  return port;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function setUp() {
  const mesh = createMeshStore({ clock: systemClock });
  const registry = createRegistry();
  const lines: string[] = [];
  const logger = createLogger(
    {
      filter: new LogFilter("warn"),
      format: "plain",
      nowMs: () => 0,
      write: (line) => void lines.push(line),
    },
    "t",
  );
  const sockets = createPodSockets({ portReuse: false }, { clock: systemClock });
  const nameservers = [{ ip: ip("127.0.0.1"), port: await startUpstream() }];
  const handler = createDnsHandler(
    {
      pod: { name: "client", namespace: "ns", serviceAccount: "default" },
      place: { node: "", clusterId: "" },
      clusterDomain: "cluster.local",
      preferredNamespace: undefined,
      ipv6Enabled: true,
      workloadWaitMs: 50,
      controlPlaneAddress: "istiod.istio-system.svc:15012",
      maxConcurrent: 100,
    },
    {
      mesh,
      forwarder: createForwarder({ nameservers, timeoutMs: 200, maxInFlight: 10 }, { sockets }),
      metrics: createDnsMetrics(registry),
      random: () => 0,
      monotonicMs: () => systemClock.monotonicMs(),
      logger,
    },
  );
  const port = await freePort();
  const server = startDnsServer({ port, ipv6Enabled: true }, { sockets, handler, logger });
  cleanUps.push(() => server.close());
  return { mesh, registry, port, sockets, handler, logger, lines };
}

function query(name: string): Buffer {
  return packet.encode({
    type: "query",
    id: 42,
    flags: packet.RECURSION_DESIRED,
    questions: [{ type: "A", name }],
  });
}

async function askUdp(port: number, name: string, address = "127.0.0.1"): Promise<packet.DecodedPacket> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  try {
    return await new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.on("message", (bytes) => resolve(packet.decode(bytes)));
      socket.send(query(name), port, address);
    });
  } finally {
    socket.close();
  }
}

async function askTcp(port: number, ...names: string[]): Promise<packet.DecodedPacket[]> {
  const socket = connect(port, "127.0.0.1");
  const reader = new FrameReader();
  const answers: packet.DecodedPacket[] = [];
  try {
    return await new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.on("data", (chunk) => {
        const frames = reader.push(chunk);
        if (frames.kind === "ok")
          answers.push(...frames.messages.map((one) => packet.decode(Buffer.from(one))));
        if (answers.length === names.length) resolve(answers);
      });
      socket.write(Buffer.concat(names.map((name) => frame(query(name)))));
    });
  } finally {
    socket.destroy();
  }
}

const rcodeOf = (answer: packet.DecodedPacket): number => (answer.flags ?? 0) & 0xf;
const records = (answer: packet.DecodedPacket): unknown[] =>
  (answer.answers ?? []).map((record) => ("data" in record ? record.data : undefined));

test("a pod that is not known yet is told to try again, and the log says once why", async () => {
  const { port, lines } = await setUp();
  for (let times = 0; times < 2; times++) assert.equal(rcodeOf(await askUdp(port, "web")), 2);
  assert.equal(lines.length, 1);
  const said = /workload not known yet: no answer of the control plane at istiod\.istio-system\.svc:15012;/;
  assert.match(lines[0] ?? "", said);
});

test("over real sockets: mesh names, forwarded names, both transports, both families", async () => {
  const { mesh, port, registry } = await setUp();
  mesh.applyAddresses([
    {
      kind: "workload",
      workload: newWorkload({ uid: "c", name: "client", namespace: "ns", canonicalName: "client" }),
    },
    {
      kind: "service",
      service: newService({
        name: "web",
        namespace: "ns",
        hostname: "web.ns.svc.cluster.local",
        vips: [{ network: "", ip: ip("10.1.0.1") }],
      }),
    },
  ]);
  assert.deepEqual(records(await askUdp(port, "web")), ["10.1.0.1"]);
  assert.deepEqual(records(await askUdp(port, "web.ns.svc.cluster.local", "::1")), ["10.1.0.1"]);
  const forwarded = await askUdp(port, "example.org");
  assert.deepEqual([forwarded.id, records(forwarded)], [42, ["1.2.3.4"]]);
  assert.equal(rcodeOf(await askUdp(port, "missing.example")), 3);
  assert.equal(rcodeOf(await askUdp(port, "silent.example")), 2);
  const [first, second] = await askTcp(port, "web", "example.org");
  assert.ok(first !== undefined && second !== undefined);
  assert.deepEqual([records(first), records(second)], [["10.1.0.1"], ["1.2.3.4"]]);
  const text = registry.exposition(undefined).body;
  assert.match(
    text,
    /istio_dns_requests_total\{request_query_type="a",request_protocol="udp",source_canonical_service="client",source_canonical_revision="unknown"\} 5/,
  );
  assert.match(text, /istio_dns_upstream_failures_total\{[^}]*\} 1/);
  assert.match(text, /istio_dns_upstream_requests_total\{request_query_type="a",request_protocol="tcp"/);
});

test("a port that is taken fails the start, and leaves nothing open", async () => {
  const { port, sockets, handler, logger } = await setUp();
  assert.throws(
    () => startDnsServer({ port, ipv6Enabled: true }, { sockets, handler, logger }),
    /EADDRINUSE/,
  );
});

test("a socket that Node does not take over fails the start, and is closed", async () => {
  const { port, sockets, handler, logger } = await setUp();
  const fds: number[] = [];
  const file = (): number => {
    const fd = openSync("/dev/null", "r");
    fds.push(fd);
    return fd;
  };
  const options = { port, ipv6Enabled: false };
  const listenTcp = () => ({ fd: file(), transparent: false });
  const bindUdp = () => createUdpSocket({ address: { ip: "127.0.0.1", port: 0 } }).fd;
  for (const broken of [
    { ...sockets, bindUdp: file },
    { ...sockets, bindUdp, listenTcp },
  ])
    assert.throws(() => startDnsServer(options, { sockets: broken, handler, logger }));
  const forwarder = createForwarder(
    { nameservers: [{ ip: ip("127.0.0.1"), port: 1 }], timeoutMs: 200, maxInFlight: 1 },
    { sockets: { ...sockets, bindUdp: file } },
  );
  const asked = readQuery(query("example.org"));
  assert.ok(asked.kind === "query");
  await assert.rejects(forwarder.forward(query("example.org"), asked.query, "udp"), { code: "UNAVAILABLE" });
  assert.equal(fds.length, 3);
  for (const fd of fds) assert.throws(() => closeSync(fd), { code: "EBADF" });
});
