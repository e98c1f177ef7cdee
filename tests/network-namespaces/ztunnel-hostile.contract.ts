/** DNS, calls to our own ports, peers that do not read, garbage: whatever captures, nothing else suffers (reference: protocol §9, §11.3). */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { after, before, test } from "node:test";
import { ip, newService } from "@meltemi/model";
import { eventually } from "@meltemi/testkit";
import { askTcp, askUdp, question, sendUdp, startResolver } from "./ztunnel-dns.fixture.ts";
import { createMesh, type Mesh } from "./ztunnel-mesh.fixture.ts";
import type { CaptureKind, MeshNode } from "./ztunnel-node.fixture.ts";
import { ANSWER, type MeshPod } from "./ztunnel-pod.fixture.ts";

const PORT = 8080;
const MIB = 2 ** 20;
/** More than all buffers on the way: windows of 4 MiB a stream, and of each socket what the kernel grants. */
const BULK_BYTES = 128 * MIB;
const MOST_IN_FLIGHT_BYTES = 64 * MIB;
const OWN_PORTS = [15000, 15001, 15006, 15008, 15020, 15021, 15053, 15080] as const;
/** The first pod of the first node. */
const RESOLVER = "10.244.1.2";

export function describeHostile(capture: CaptureKind): void {
  const check = (title: string, body: () => Promise<void>): void =>
    void test(`${capture}: ${title}`, { timeout: 60_000 }, body);
  let mesh: Mesh;
  let [a, b] = [] as unknown as [MeshNode, MeshNode];
  let pods: Readonly<Record<"client" | "server" | "stranger", MeshPod>>;
  let resolver: Disposable;

  before(async () => {
    mesh = await createMesh({
      name: `mlx-h-${capture.slice(0, 3)}`,
      capture,
      nameservers: [{ ip: ip(RESOLVER), port: 53 }],
    });
    a = await mesh.node("a");
    b = await mesh.node("b");
    const upstream = await a.pod("resolver", { captured: false });
    assert.equal(upstream.ipv4, RESOLVER);
    resolver = await startResolver(upstream);
    pods = {
      client: await a.pod("client"),
      server: await b.pod("server"),
      stranger: await a.pod("stranger", { captured: false }),
    };
  });
  after(async () => {
    resolver?.[Symbol.dispose]();
    await mesh?.[Symbol.asyncDispose]();
  });

  async function expectServing(): Promise<void> {
    await using _application = await pods.server.serve(9999);
    assert.equal(await pods.client.call(pods.server.ipv4, 9999), ANSWER);
  }

  check(
    "DNS by UDP and TCP, IPv4 and IPv6: the mesh's names from the mesh, others from upstream",
    async () => {
      const { client } = pods;
      const hostname = "web.default.svc.cluster.local";
      const vips = [ip("10.10.0.1"), ip("fd00:10::1")].map((one) => ({ network: "", ip: one }));
      mesh.put(newService({ name: "web", namespace: "default", hostname, vips }));
      const watch = a.proxy.watch();
      for (const server of ["10.96.0.10", "fd00:96::10"]) {
        for (const [name, type, want] of [
          [hostname, "A", ["0a0a0001"]],
          [hostname, "AAAA", ["fd000010000000000000000000000001"]],
          ["elsewhere.example", "A", ["cb007107"]],
        ] as const) {
          const udp = await askUdp(client.netns, server, question(name, type));
          assert.deepEqual([udp.code, udp.addresses, udp.from], [0, want, server], `${type} ${name} by UDP`);
          const tcp = await askTcp(client.netns, server, question(name, type));
          assert.deepEqual([tcp.code, tcp.addresses], [0, want], `${type} ${name} by TCP`);
        }
      }
      assert.equal(watch.count("istio_dns_requests_total"), 12);
      assert.equal(watch.count("istio_dns_upstream_requests_total"), 4);
    },
  );

  check("malformed DNS is no harm", async () => {
    const { client } = pods;
    const whole = question("web.default.svc.cluster.local", "A");
    const loop = Buffer.concat([whole.subarray(0, 12), Buffer.of(0xc0, 12, 0, 1, 0, 1)]);
    for (const message of [
      Buffer.alloc(1),
      whole.subarray(0, 20),
      loop,
      Buffer.alloc(65_000, 0xff),
      randomBytes(500),
    ]) {
      const length = Buffer.alloc(2);
      length.writeUInt16BE(message.length);
      for (const framed of [Buffer.concat([length, message]), Buffer.of(0xff, 0xff, 1), Buffer.of(0, 0)])
        await client.call("10.96.0.10", 53, framed.toString("latin1"));
      await sendUdp(client.netns, "10.96.0.10", message.subarray(0, 1400));
      assert.equal((await askUdp(client.netns, "10.96.0.10", whole)).code, 0);
    }
  });

  check("no call to one of our own ports is forwarded, from wherever and to whomever", async () => {
    const { client, server, stranger } = pods;
    const targets = {
      client: [client.ipv4, client.ipv6, server.ipv4, server.ipv6, "127.0.0.1", "::1"],
      stranger: [client.ipv4, client.ipv6, server.ipv4, server.ipv6],
    };
    const texts = ["hello world", "GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"];
    for (const pod of [client, stranger])
      for (const target of targets[pod.name as "client" | "stranger"])
        for (const port of OWN_PORTS)
          for (const text of texts) {
            const answer = await pod.call(target, port, text);
            // A TLS alert is all that any of them may say.
            assert.match(
              answer,
              /^(\W[^a-z]{0,6})?(\[E[A-Z]+\])?$/,
              `${pod.name} to ${target} ${port}: ${answer}`,
            );
          }
    for (const { proxy } of [a, b])
      await eventually(() => {
        assert.doesNotMatch(proxy.metrics(), /istio_tcp_sockets_open\{reporter="source"\} [1-9]/);
        // What other pods' pools keep open counts too: one tunnel for each pair of pods and family of addresses.
        assert.doesNotMatch(proxy.metrics(), /istio_tcp_sockets_open\{reporter="destination"\} (\d\d|[5-9])/);
        return true;
      });
    await expectServing();
  });

  check(
    "a peer that does not read holds the other back, within bounds, and then gets every byte",
    async () => {
      const { client, server } = pods;
      for (const direction of ["down", "up"] as const) {
        const progress = { written: 0, read: 0 };
        let reading: Socket | undefined;
        const write = (socket: Socket): void => void pump(socket, progress);
        const read = (socket: Socket): void => {
          reading = socket.pause();
          socket.on("data", (chunk: Buffer) => {
            progress.read += chunk.length;
          });
          socket.pause();
          socket.on("end", () => socket.end());
        };
        await using _application = await server.serve(PORT, { handle: direction === "down" ? write : read });
        using open = await client.connect(server.ipv4, PORT);
        open.socket.removeAllListeners("data").setEncoding("latin1").pause();
        if (direction === "up") {
          open.socket.resume();
          write(open.socket);
        } else read(open.socket);
        await stalled(() => progress.written);
        assert.ok(
          progress.written < MOST_IN_FLIGHT_BYTES,
          `${direction}: ${progress.written} written, ${progress.read} read`,
        );
        await expectServing();
        reading?.resume();
        await eventually(() => progress.read === BULK_BYTES, { deadlineMs: 30_000 });
      }
    },
  );

  check("a writer of single bytes and one that never ends do not disturb others", async () => {
    const { client, server } = pods;
    await using _application = await server.serve(PORT);
    using silent = await client.connect(server.ipv4, PORT);
    using slow = await client.connect(server.ipv4, PORT);
    for (let byte = 0; byte < 50; byte++) {
      await slow.exchange("x");
      if (byte % 10 === 0) await expectServing();
    }
    await silent.exchange("still there");
  });
}

/** Writes all the bytes, as fast as the other side takes them. */
async function pump(socket: Socket, progress: { written: number }): Promise<void> {
  const chunk = Buffer.alloc(MIB / 4, "x");
  let goOn = (): void => undefined;
  socket.on("drain", () => goOn()).on("close", () => goOn());
  while (progress.written < BULK_BYTES && !socket.destroyed) {
    progress.written += chunk.length;
    if (!socket.write(chunk)) await new Promise<void>((resolve) => (goOn = resolve));
  }
  socket.end();
}

/** Waits until the figure has begun to grow and stands still while it is asked many times. */
async function stalled(figure: () => number): Promise<void> {
  let [last, same] = [0, 0];
  await eventually(
    () => {
      const now = figure();
      same = now === last && now > 0 ? same + 1 : 0;
      last = now;
      return same >= 50;
    },
    { deadlineMs: 30_000 },
  );
}
