/**
 * Shared mode in real pods: their namespaces arrive over ZDS, plain nftables rules inside them stand for the capture
 * (reference: protocol §3.5, §6.5, §11.3). Two nodes, each with a ztunnel of its own.
 */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { createCertificateManager } from "@meltemi/identity";
import { type NetworkNamespace, openNetworkNamespace } from "@meltemi/linux";
import { type AddressChange, newService, newWorkload, type Workload } from "@meltemi/model";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import {
  createNetnsLab,
  createTemporaryFolder,
  createTestAuthority,
  eventually,
  type LabPlace,
  startTcpServer,
} from "@meltemi/testkit";
import { createZdsClient, createZdsServer, type ZdsPod } from "@meltemi/zds";
import { readConfig } from "../../components/ztunnel/src/config.ts";
import { createPodSockets } from "../../components/ztunnel/src/sockets/pod-sockets.ts";
import { startZtunnel, type Ztunnel } from "../../components/ztunnel/src/ztunnel.ts";

const PORT = 8080;
const VIP = "10.10.0.1";

/** Everything that leaves the pod and is not ours goes to 15001, everything that arrives to 15006, DNS to 15053. */
const CAPTURE = `
table inet capture {
  chain output {
    type nat hook output priority -100;
    meta mark 1337 return
    udp dport 53 redirect to :15053
    oifname "lo" return
    tcp dport 1-65535 redirect to :15001
  }
  chain prerouting {
    type nat hook prerouting priority -100;
    iifname "eth0" tcp dport != 15008 redirect to :15006
  }
}`;

interface Node extends AsyncDisposable {
  readonly ztunnel: Ztunnel;
  readonly lines: string[];
  enrol(pod: Workload, place: LabPlace): Promise<void>;
  remove(pod: Workload): Promise<void>;
  /** The node agent dies and comes back with the same pods. */
  restartAgent(): void;
}

const authority = createTestAuthority();

async function startNode(name: string, folder: string): Promise<Node> {
  const lines: string[] = [];
  const filter = new LogFilter("info");
  const write = (line: string): void => void lines.push(line);
  const log = createLogger({ filter, format: "plain", nowMs: Date.now, write }, "ztunnel");
  const pods = new Map<string, ZdsPod>();
  const namespaces: NetworkNamespace[] = [];
  const path = `${folder}/${name}.sock`;
  const startAgent = () =>
    createZdsServer(
      { path },
      { clock: systemClock, log, pods: { uids: () => [...pods.keys()], find: (uid) => pods.get(uid) } },
    );
  let agent = startAgent();
  const config = readConfig({
    NODE_NAME: name,
    INPOD_UDS: path,
    ENABLE_ORIG_SRC: "false",
    CONNECTION_TERMINATION_DEADLINE: "200ms",
  });
  const ztunnel = await startZtunnel(
    { ...config, admin: { adminPort: 0, statsPort: 0, readinessPort: 0 } },
    {
      clock: systemClock,
      random: Math.random,
      logger: log,
      filter,
      registry: createRegistry(),
      certificates: createCertificateManager(
        {},
        { clock: systemClock, random: Math.random, fetch: async (identity) => authority.issue(identity) },
      ),
      admission: { process: 1000, pod: 1000 },
      nameservers: [],
      lookup: () => Promise.reject(new Error("no DNS in this test")),
      sockets: (namespace) => createPodSockets({ namespace, mark: 1337, portReuse: true }),
      nodeAgent: (handler) =>
        createZdsClient({ path }, { clock: systemClock, random: Math.random, log, handler }),
      adminHost: "127.0.0.1",
    },
  );
  await eventually(() => ztunnel.readiness.pending().length === 0);
  return {
    ztunnel,
    lines,
    async enrol(pod, place) {
      const namespace = openNetworkNamespace(place.path);
      namespaces.push(namespace);
      pods.set(pod.uid, { uid: pod.uid, workload: pod, netnsFd: namespace.fd });
      assert.deepEqual(await agent.add(pod.uid), { kind: "ack" });
    },
    async remove(pod) {
      pods.delete(pod.uid);
      await agent.del(pod.uid);
    },
    restartAgent() {
      agent.close();
      agent = startAgent();
    },
    async [Symbol.asyncDispose]() {
      await ztunnel.shutdown();
      agent.close();
      for (const namespace of namespaces) namespace.close();
    },
  };
}

/** Sends `hello` and gives what came back, both ways ended cleanly; empty when refused. */
async function hello(from: LabPlace, to: string, port: number): Promise<string> {
  const script = `exec 3<>/dev/tcp/${to}/${port}; printf hello >&3; head -c 10 <&3`;
  return (await from.run(["bash", "-c", script], { timeoutMs: 10_000 })).stdout;
}

function podOf(name: string, node: string, place: LabPlace, given: Partial<Workload> = {}): Workload {
  return newWorkload({
    uid: `Kubernetes//Pod/default/${name}`,
    name,
    namespace: "default",
    serviceAccount: name,
    workloadName: name,
    addresses: [place.ipv4, place.ipv6],
    tunnelProtocol: "hbone",
    node,
    ...given,
  });
}

test("pods on two nodes talk HBONE, by address and by service, IPv4 and IPv6, with DNS from the mesh", async () => {
  // The pool's threads must be born in this namespace; see the trap in libraries/linux.
  await Promise.all(Array.from({ length: 16 }, () => readFile("/proc/self/stat")));
  await using folder = await createTemporaryFolder("zt-shared");
  await using lab = await createNetnsLab("mlx-zt");
  const [labA, labB] = [await lab.node("node-a"), await lab.node("node-b")];
  const [clientPlace, serverPlace] = [await labA.pod("client"), await labB.pod("server")];
  await using a = await startNode("node-a", folder.path);
  await using b = await startNode("node-b", folder.path);
  const ports = [{ servicePort: 80, targetPort: PORT, appProtocol: "unknown" }] as const;
  const client = podOf("client", "node-a", clientPlace);
  const server = podOf("server", "node-b", serverPlace, {
    services: new Map([["default/web.default.svc.cluster.local", ports]]),
  });
  const web = newService({
    name: "web",
    namespace: "default",
    hostname: "web.default.svc.cluster.local",
    vips: [{ network: "", ip: VIP as Workload["addresses"][number] }],
    ports,
  });
  const mesh: AddressChange[] = [
    { kind: "workload", workload: client },
    { kind: "workload", workload: server },
    { kind: "service", service: web },
  ];
  for (const node of [a, b]) node.ztunnel.mesh.applyAddresses(mesh);
  for (const place of [clientPlace, serverPlace]) {
    const loaded = await place.run(["nft", "-f", "-"], { input: CAPTURE });
    assert.equal(loaded.exitCode, 0, loaded.stderr);
  }
  const application = await startTcpServer(serverPlace, { port: PORT, mode: "double" });
  assert.equal(await hello(clientPlace, serverPlace.ipv4, PORT), "", "captured and not served yet: refused");
  await a.enrol(client, clientPlace);
  await b.enrol(server, serverPlace);

  for (const [to, port] of [
    [serverPlace.ipv4, PORT],
    [serverPlace.ipv6, PORT],
    [VIP, 80],
  ] as const)
    assert.equal(await hello(clientPlace, to, port), "hellohello", `to ${to}`);
  await eventually(() => b.lines.filter((line) => line.includes("connection complete")).length === 3);
  for (const line of b.lines.filter((one) => one.includes("connection complete")))
    assert.match(
      line,
      /src\.identity="spiffe:\/\/cluster\.local\/ns\/default\/sa\/client".*direction="inbound" bytes_sent=10 bytes_recv=5/,
    );
  assert.equal(application.accepted.length, 3);

  const ask = `require("dns").promises.resolve4("web.default.svc.cluster.local").then((all) => console.log(all.join()))`;
  const environment = `const d=require("dns");d.setServers(["10.96.0.10"]);${ask}`;
  const answer = await clientPlace.run([process.execPath, "-e", environment]);
  assert.equal(answer.stdout.trim(), VIP, answer.stderr);

  // Plaintext from outside the mesh: the node itself calls.
  assert.equal(await hello(labB, serverPlace.ipv4, PORT), "hellohello");
  await eventually(() =>
    b.lines.some((line) => line.includes("bytes_recv=5") && !line.includes("src.identity")),
  );

  // The agent goes and comes back: not ready meanwhile, serving all the while.
  const pipe = `process.stdin.pipe(require("net").connect(80, "${VIP}")).pipe(process.stdout)`;
  const long = clientPlace.spawn([process.execPath, "-e", pipe]);
  let heard = "";
  long.stdout?.on("data", (chunk) => (heard += String(chunk)));
  long.stdin?.write("one");
  await eventually(() => heard === "oneone");
  a.restartAgent();
  await eventually(() => a.lines.some((line) => line.includes("node agent disconnected")));
  assert.equal(await hello(clientPlace, VIP, 80), "hellohello");
  await eventually(() => a.ztunnel.readiness.pending().length === 0, { deadlineMs: 20_000 });

  // Un-enrolled while a connection is open: it goes on, new ones are not taken.
  for (const chain of ["output", "prerouting"])
    await clientPlace.run(["nft", "insert", "rule", "inet", "capture", chain, "return"]);
  await a.remove(client);
  assert.equal(await hello(clientPlace, serverPlace.ipv4, PORT), "hellohello", "plaintext now");
  long.stdin?.write("two");
  await eventually(() => heard === "oneonetwotwo");
  long.stdin?.end();
  await eventually(() => long.exitCode !== null);
});
