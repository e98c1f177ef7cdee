/** What every capture backend must do, in a real kernel. */

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { type CaptureBackend, type CapturedPod, ZTUNNEL_MARK } from "@meltemi/ebpf";
import {
  closeFd,
  createTcpListener,
  localAddress,
  type NetworkNamespace,
  peerAddress,
  withNetworkNamespace,
} from "@meltemi/linux";
import {
  ADDRESSES,
  APP_PORT,
  askUdp,
  converse,
  createScene,
  FAMILIES,
  firstLine,
  nft,
  type Scene,
  startApp,
  startUdpServer,
  startZtunnel,
} from "./capture-scene.ts";

import { firstLineOfOdd, firstLinesAtOnce } from "./capture-sockets.fixture.ts";

export interface CaptureUnderTest {
  readonly name: string;
  create(node: NetworkNamespace): CaptureBackend;
  /** Removes what is left of this and any earlier run. */
  remove(): void;
}

const POD_UID = "11111111-2222-3333-4444-555555555555";
const OUTSIDE_PORT = 9090;

export function describeCapture(subject: CaptureUnderTest): void {
  let scene: Scene;
  let capture: CaptureBackend;
  const made = new AsyncDisposableStack();

  const podWith = (changes: Partial<CapturedPod> = {}): CapturedPod => ({
    uid: POD_UID,
    netns: scene.pod,
    addresses: [ADDRESSES.pod[4], ADDRESSES.pod[6]],
    captureDns: true,
    captureInbound: true,
    ...changes,
  });
  const fromPod = (ip: string, port: number): Promise<string> =>
    firstLine({ netns: scene.pod, destination: { ip, port } });
  const fromOutside = (ip: string, port: number): Promise<string> =>
    firstLine({ netns: scene.outside, destination: { ip, port } });
  const check = (title: string, body: () => Promise<void>): void => {
    test(`${subject.name}: ${title}`, async () => {
      try {
        await body();
      } finally {
        await capture.unenrol(podWith());
      }
    });
  };

  before(async () => {
    subject.remove();
    scene = made.use(createScene());
    made.defer(subject.remove);
    capture = subject.create(scene.node);
    made.defer(() => capture.close());
    made.use(await startApp(scene.pod, "app", APP_PORT));
    made.use(await startApp(scene.outside, "outside", OUTSIDE_PORT));
    made.use(await startUdpServer(scene.outside, "outside", { ip: ADDRESSES.outside[4], port: 53 }));
  });
  after(() => made.disposeAsync());

  check("what an enrolled pod sends goes to ztunnel, which learns where it was going", async () => {
    await capture.enrol(podWith());
    await using _ztunnel = await startZtunnel(scene.pod);
    for (const family of FAMILIES) {
      const ip = ADDRESSES.outside[family];
      assert.equal(await fromPod(ip, 80), `ztunnel out ${ip} 80`);
    }
  });

  check("an IPv6 socket with a mapped IPv4 destination is captured as IPv4", async () => {
    await capture.enrol(podWith());
    await using _ztunnel = await startZtunnel(scene.pod);
    assert.equal(
      await fromPod(`::ffff:${ADDRESSES.outside[4]}`, 80),
      `ztunnel out ${ADDRESSES.outside[4]} 80`,
    );
  });

  check("a pod whose own rules track connections is captured like any other", async () => {
    nft(
      scene.pod,
      `add table inet mlx-own
        add chain inet mlx-own out { type filter hook output priority 0; }
        add rule inet mlx-own out ct state established accept\n`,
    );
    try {
      await capture.enrol(podWith());
      await using _ztunnel = await startZtunnel(scene.pod);
      for (const family of FAMILIES) {
        const [outside, own] = [ADDRESSES.outside[family], ADDRESSES.pod[family]];
        assert.equal(await fromPod(outside, 80), `ztunnel out ${outside} 80`);
        assert.equal(await fromOutside(own, APP_PORT), `ztunnel in ${own} ${APP_PORT} from ${outside}`);
      }
    } finally {
      nft(scene.pod, "delete table inet mlx-own\n");
    }
  });

  check("the app is shown the peer it asked for, and the pod's address as its own", async () => {
    await capture.enrol(podWith());
    await using _ztunnel = await startZtunnel(scene.pod);
    for (const family of FAMILIES) {
      const destination = { ip: ADDRESSES.outside[family], port: 80 };
      using conversation = await converse({ netns: scene.pod, destination });
      assert.deepEqual(peerAddress(conversation.fd), destination);
      assert.equal(localAddress(conversation.fd).ip, ADDRESSES.pod[family]);
    }
  });

  check("TCP Fast Open, Multipath TCP and a bound port are captured like any connection", async () => {
    await capture.enrol(podWith());
    await using _ztunnel = await startZtunnel(scene.pod);
    for (const kind of ["fast open", "multipath", "port"] as const)
      for (const family of FAMILIES) {
        const destination = { ip: ADDRESSES.outside[family], port: OUTSIDE_PORT };
        assert.equal(
          await firstLineOfOdd(kind, scene.pod, destination),
          `ztunnel out ${destination.ip} ${OUTSIDE_PORT}`,
          kind,
        );
      }
  });

  const setPorts = (range: string): void =>
    withNetworkNamespace(scene.pod, () => writeFileSync("/proc/sys/net/ipv4/ip_local_port_range", range));

  check("a pod has its ephemeral ports for every IPv4 destination, not once for all", async () => {
    const destinations = [ADDRESSES.outside[4], ADDRESSES.node[4]].map((ip) => ({ ip, port: OUTSIDE_PORT }));
    await capture.enrol(podWith());
    await using _ztunnel = await startZtunnel(scene.pod);
    using open = new DisposableStack();
    setPorts("41000 41001");
    try {
      for (const destination of [...destinations, ...destinations]) {
        const conversation = open.use(await converse({ netns: scene.pod, destination }));
        assert.equal(await conversation.line(), `ztunnel out ${destination.ip} ${destination.port}`);
      }
    } finally {
      setPorts("32768 60999");
    }
  });

  check(
    "connections of one local port that wait for ztunnel together are not taken for each other",
    async () => {
      const destinations = [ADDRESSES.outside[4], ADDRESSES.node[4]].map((ip) => ({
        ip,
        port: OUTSIDE_PORT,
      }));
      await capture.enrol(podWith());
      await using _ztunnel = await startZtunnel(scene.pod);
      setPorts("41010 41010");
      try {
        assert.deepEqual(
          await firstLinesAtOnce(scene.pod, destinations),
          destinations.map(({ ip, port }) => `ztunnel out ${ip} ${port}`),
        );
      } finally {
        setPorts("32768 60999");
      }
    },
  );

  check("loopback and the pod's own addresses are not captured", async () => {
    await capture.enrol(podWith());
    await using _ztunnel = await startZtunnel(scene.pod);
    for (const ip of ["127.0.0.1", "::1", ADDRESSES.pod[4], ADDRESSES.pod[6]])
      assert.equal(await fromPod(ip, APP_PORT), `app sees ${ip}`);
    for (const ip of ["0.0.0.0", "::ffff:127.0.0.1", "127.9.9.9"])
      assert.equal(await fromPod(ip, APP_PORT), "app sees 127.0.0.1");
    assert.equal(await fromPod("::", APP_PORT), "app sees ::1");
  });

  check("ztunnel's own connections are not captured", async () => {
    await capture.enrol(podWith());
    await using _ztunnel = await startZtunnel(scene.pod);
    for (const family of FAMILIES) {
      const destination = { ip: ADDRESSES.outside[family], port: OUTSIDE_PORT };
      assert.equal(
        await firstLine({ netns: scene.pod, destination, mark: ZTUNNEL_MARK }),
        `outside sees ${ADDRESSES.pod[family]}`,
      );
    }
  });

  check("what comes in, to any port, goes to ztunnel with both addresses kept", async () => {
    await capture.enrol(podWith());
    await using _ztunnel = await startZtunnel(scene.pod);
    for (const family of FAMILIES)
      for (const port of [APP_PORT, 4444, 15001]) {
        const ip = ADDRESSES.pod[family];
        assert.equal(
          await fromOutside(ip, port),
          `ztunnel in ${ip} ${port} from ${ADDRESSES.outside[family]}`,
        );
      }
  });

  check("port 15008 reaches the HBONE listener", async () => {
    await capture.enrol(podWith());
    await using _ztunnel = await startZtunnel(scene.pod);
    for (const family of FAMILIES)
      assert.equal(await fromOutside(ADDRESSES.pod[family], 15008), "ztunnel hbone");
  });

  check("probes from the node reach the app", async () => {
    await capture.enrol(podWith());
    await using _ztunnel = await startZtunnel(scene.pod);
    for (const family of FAMILIES) {
      const destination = { ip: ADDRESSES.pod[family], port: APP_PORT };
      assert.match(await firstLine({ netns: scene.node, destination }), /^app sees /);
    }
  });

  check("an enrolled pod without a ztunnel is refused, both ways", async () => {
    await capture.enrol(podWith());
    for (const family of FAMILIES) {
      assert.equal(await fromPod(ADDRESSES.outside[family], OUTSIDE_PORT), "ECONNREFUSED");
      assert.equal(await fromOutside(ADDRESSES.pod[family], APP_PORT), "ECONNREFUSED");
    }
  });

  check("a ztunnel that was listening before the pod was enrolled is found", async () => {
    await using _ztunnel = await startZtunnel(scene.pod);
    assert.equal(await fromOutside(ADDRESSES.pod[4], APP_PORT), `app sees ${ADDRESSES.outside[4]}`);
    await capture.enrol(podWith());
    for (const family of FAMILIES)
      assert.match(await fromOutside(ADDRESSES.pod[family], APP_PORT), /^ztunnel in /);
  });

  check(
    "DNS by TCP and UDP goes to ztunnel's proxy and seems to come from the server that was asked",
    async () => {
      await capture.enrol(podWith());
      await using _ztunnel = await startZtunnel(scene.pod);
      for (const family of FAMILIES) {
        const to = { ip: ADDRESSES.outside[family], port: 53 };
        assert.equal(await fromPod(to.ip, 53), "ztunnel dns");
        for (const connected of [true, false])
          assert.equal(await askUdp(scene.pod, to, connected), `ztunnel dns who from ${to.ip} 53`);
      }
    },
  );

  check(
    "ztunnel's last hop under the client's address reaches the app, and the replies come back",
    async () => {
      await capture.enrol(podWith());
      await using _ztunnel = await startZtunnel(scene.pod);
      for (const family of FAMILIES) {
        using conversation = await converse({
          netns: scene.pod,
          source: { ip: ADDRESSES.outside[family], port: 0 },
          destination: { ip: ADDRESSES.pod[family], port: APP_PORT },
          transparent: true,
          mark: ZTUNNEL_MARK,
        });
        assert.equal(await conversation.line(), `app sees ${ADDRESSES.outside[family]}`);
        assert.ok(await conversation.echoes("there and back"));
      }
    },
  );

  check("ztunnel's last hop to a port where nothing listens is refused, not left hanging", async () => {
    await capture.enrol(podWith());
    await using _ztunnel = await startZtunnel(scene.pod);
    for (const family of FAMILIES) {
      const lastHop = firstLine({
        netns: scene.pod,
        source: { ip: ADDRESSES.outside[family], port: 0 },
        destination: { ip: ADDRESSES.pod[family], port: APP_PORT + 1 },
        transparent: true,
        mark: ZTUNNEL_MARK,
      });
      assert.equal(await lastHop, "ECONNREFUSED");
    }
  });

  check("connections made before enrolling or before un-enrolling go on undisturbed", async () => {
    const outside = { ip: ADDRESSES.outside[4], port: OUTSIDE_PORT };
    const app = { ip: ADDRESSES.pod[4], port: APP_PORT };
    using sent = await converse({ netns: scene.pod, destination: outside });
    using received = await converse({ netns: scene.outside, destination: app });
    assert.equal(await sent.line(), `outside sees ${ADDRESSES.pod[4]}`);
    assert.equal(await received.line(), `app sees ${ADDRESSES.outside[4]}`);
    await capture.enrol(podWith());
    await using _ztunnel = await startZtunnel(scene.pod);
    using captured = await converse({ netns: scene.pod, destination: outside });
    assert.match(await captured.line(), /^ztunnel out /);
    using steered = await converse({ netns: scene.outside, destination: app });
    assert.match(await steered.line(), /^ztunnel in /);
    for (const one of [sent, received, captured, steered]) assert.ok(await one.echoes("enrolled"));
    await capture.unenrol(podWith());
    for (const one of [sent, received, captured, steered]) assert.ok(await one.echoes("left"));
    assert.equal(await fromPod(outside.ip, outside.port), `outside sees ${ADDRESSES.pod[4]}`);
    assert.equal(await fromOutside(app.ip, app.port), `app sees ${ADDRESSES.outside[4]}`);
  });

  check(
    "bypass-inbound-capture and dns-capture=false leave those alone, and can be changed while enrolled",
    async () => {
      const dns = { ip: ADDRESSES.outside[4], port: 53 };
      await using _ztunnel = await startZtunnel(scene.pod);
      await capture.enrol(podWith({ captureInbound: false, captureDns: false }));
      assert.equal(await fromOutside(ADDRESSES.pod[4], APP_PORT), `app sees ${ADDRESSES.outside[4]}`);
      assert.equal(await askUdp(scene.pod, dns, true), `outside who from ${dns.ip} 53`);
      assert.equal(await fromPod(dns.ip, 53), `ztunnel out ${dns.ip} 53`);
      await capture.enrol(podWith());
      assert.match(await fromOutside(ADDRESSES.pod[4], APP_PORT), /^ztunnel in /);
      assert.match(await askUdp(scene.pod, dns, false), /^ztunnel dns /);
      await capture.enrol(podWith({ captureInbound: false }));
      assert.equal(await fromOutside(ADDRESSES.pod[4], APP_PORT), `app sees ${ADDRESSES.outside[4]}`);
    },
  );

  check("while two ztunnels overlap, closing either one leaves the other in service", async () => {
    await capture.enrol(podWith());
    await using older = await startZtunnel(scene.pod, "older");
    await using newer = await startZtunnel(scene.pod, "newer");
    await newer.close();
    assert.match(await fromOutside(ADDRESSES.pod[6], APP_PORT), /^older in /);
    await using newest = await startZtunnel(scene.pod, "newest");
    await older.close();
    assert.match(await fromOutside(ADDRESSES.pod[4], APP_PORT), /^newest in /);
    await newest.close();
    assert.equal(await fromOutside(ADDRESSES.pod[4], APP_PORT), "ECONNREFUSED");
  });

  check("what waits in the queue of a listener that closes goes to the one that stays", async () => {
    await capture.enrol(podWith());
    const listener = { netns: scene.pod, backlog: 128, reusePort: true, mark: ZTUNNEL_MARK };
    const busy = createTcpListener({ ...listener, address: { ip: "::", port: 15001 } });
    const clients = await Promise.all(
      Array.from({ length: 8 }, () =>
        converse({ netns: scene.pod, destination: { ip: ADDRESSES.outside[4], port: 80 } }),
      ),
    );
    await using _ztunnel = await startZtunnel(scene.pod);
    closeFd(busy.fd);
    for (const client of clients) {
      using _ = client;
      assert.match(await client.line(), /^ztunnel out /);
    }
  });

  check("capture goes on without the agent, and the next agent knows who is enrolled", async () => {
    await capture.enrol(podWith());
    await using _ztunnel = await startZtunnel(scene.pod);
    capture.close();
    assert.match(await fromPod(ADDRESSES.outside[4], 80), /^ztunnel out /);
    assert.match(await fromOutside(ADDRESSES.pod[6], APP_PORT), /^ztunnel in /);
    capture = subject.create(scene.node);
    assert.deepEqual(await capture.list(), [{ uid: POD_UID }]);
    await capture.enrol(podWith());
    assert.match(await fromOutside(ADDRESSES.pod[4], APP_PORT), /^ztunnel in /);
    await capture.unenrol(podWith());
    assert.deepEqual(await capture.list(), []);
  });

  check("a pod that is not enrolled can be un-enrolled, twice, with and without its namespace", async () => {
    await capture.unenrol({ uid: "unknown" });
    await capture.enrol(podWith());
    await capture.unenrol(podWith());
    await capture.unenrol(podWith());
    assert.deepEqual(await capture.list(), []);
  });

  check("a uid the kernel's maps cannot hold is refused", async () => {
    await assert.rejects(capture.enrol(podWith({ uid: "x".repeat(64) })), { code: "INPUT_INVALID" });
  });
}
