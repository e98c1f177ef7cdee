/**
 * Our ztunnel whole, with its real clients of control plane and CA, told of the mesh by a foreign istiod. It stands on a loopback
 * address that stands for a pod; only the original destination, which capture would tell, is told by the test.
 */

import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { parseSocketAddress, type SocketAddress } from "@meltemi/model";
import { createProxyCertificates, xdsClientParts } from "@meltemi/proxy-process";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { eventually } from "@meltemi/testkit";
import { createXdsClient } from "@meltemi/xds";
import { readConfig } from "../../components/ztunnel/src/config.ts";
import { xdsNode } from "../../components/ztunnel/src/mesh/xds-node.ts";
import type { ProxyPorts } from "../../components/ztunnel/src/ports.ts";
import { createPodSockets } from "../../components/ztunnel/src/sockets/pod-sockets.ts";
import { startZtunnel, type Ztunnel } from "../../components/ztunnel/src/ztunnel.ts";
import { freePorts } from "../integration/ztunnel.fixture.ts";
import type { ForeignAuthority } from "./foreign-authority.fixture.ts";
import {
  type ForeignIstiod,
  ISTIOD_HOSTNAME,
  serviceResource,
  type WireResource,
  workloadResource,
} from "./foreign-istiod.fixture.ts";

export interface OurZtunnel extends AsyncDisposable {
  readonly ztunnel: Ztunnel;
  readonly ports: ProxyPorts;
  /** Lines of its log. */
  readonly lines: string[];
  metrics(): string;
  /** A connection as the pod's application would make it. */
  connect(destination: string): Promise<Socket>;
  /** Waits until its listeners are open. */
  readonly listening: Promise<void>;
}

export interface ZtunnelOptions {
  /** Where it listens; default 127.0.0.2. */
  readonly address?: string;
  readonly istiod: Pick<ForeignIstiod, "port">;
  /** Path of the roots that it trusts istiod by, or their text. */
  readonly roots: string;
  readonly ports?: ProxyPorts;
  readonly env?: Readonly<Record<string, string>>;
  /** Asks for its workload's certificate on its behalf, as a node's ztunnel does. Default true. */
  readonly impersonate?: boolean;
}

export const OUR_ADDRESS = "127.0.0.2";
export const FOREIGN_ADDRESS = "127.0.0.3";

/** ztunnel of the workload `default/client` with the service account `client`. */
export async function startOurZtunnel(options: ZtunnelOptions): Promise<OurZtunnel> {
  const address = options.address ?? OUR_ADDRESS;
  const ports = options.ports ?? (await proxyPorts());
  const base = readConfig(environment(options));
  const config = { ...base, ports, admin: { adminPort: 0, statsPort: 0, readinessPort: 0 } };
  const lines: string[] = [];
  const filter = new LogFilter("info");
  const write = (line: string): void => void lines.push(line);
  const logger = createLogger(
    { filter, format: "plain", nowMs: () => systemClock.nowMs(), write },
    "ztunnel",
  );
  const registry = createRegistry();
  const parts = { clock: systemClock, random: Math.random, logger, registry };
  const settings = { ...config, clusterId: config.node.clusterId, node: xdsNode(config) };
  const xds = xdsClientParts(settings, config.xds.address ?? "", parts);
  let destination: SocketAddress | undefined;
  const localIp = parseSocketAddress(`${address}:1`)?.ip;
  if (localIp === undefined) throw new TypeError(`address ${address}: expected an IP address`);
  const ztunnel = await startZtunnel(config, {
    ...parts,
    filter,
    certificates: createProxyCertificates(
      { ...config, clusterId: config.node.clusterId, impersonate: options.impersonate ?? true },
      parts,
    ),
    admission: { process: 5000, pod: 5000 },
    nameservers: [],
    lookup: () => Promise.reject(new Error("no DNS in this test")),
    sockets: () => {
      const sockets = createPodSockets({ portReuse: false }, { clock: systemClock });
      return {
        ...sockets,
        originalDestination: (socket) => destination ?? sockets.originalDestination(socket),
      };
    },
    controlPlane: (onUpdate) =>
      createXdsClient({ ...xds.options, onDemand: config.xds.onDemand }, { ...xds.deps, onUpdate }),
    dedicated: { workload: CLIENT_NAME, listenIp: localIp, localIp },
    adminHost: "127.0.0.1",
  });
  return {
    ztunnel,
    ports,
    lines,
    metrics: () => registry.exposition(undefined).body,
    async connect(wanted) {
      destination = parseSocketAddress(wanted);
      return await dial(address, ports.outbound);
    },
    get listening() {
      return eventually(() => ztunnel.readiness.pending().length === 0).then(() => undefined);
    },
    [Symbol.asyncDispose]: () => ztunnel.shutdown(),
  };
}

const CLIENT_NAME = { name: "client", namespace: "default", serviceAccount: "client" };

export async function proxyPorts(): Promise<ProxyPorts> {
  const [outbound = 0, inboundPlaintext = 0, inboundHbone = 0] = await freePorts(3);
  return { outbound, inboundPlaintext, inboundHbone, socks5: 0 };
}

function environment({ istiod, roots, env }: ZtunnelOptions): Readonly<Record<string, string>> {
  const address = `https://127.0.0.1:${istiod.port}`;
  return {
    PROXY_MODE: "dedicated",
    PROXY_WORKLOAD_INFO: "default/client/client",
    POD_NAME: "ztunnel-x7k",
    POD_NAMESPACE: "istio-system",
    SERVICE_ACCOUNT: "ztunnel",
    NODE_NAME: "node-a",
    INSTANCE_IP: "10.0.0.9",
    XDS_ADDRESS: address,
    CA_ADDRESS: address,
    XDS_ROOT_CA: roots,
    CA_ROOT_CA: roots,
    ALT_XDS_HOSTNAME: ISTIOD_HOSTNAME,
    ALT_CA_HOSTNAME: ISTIOD_HOSTNAME,
    AUTH_TOKEN: "the-token-of-ztunnel",
    ISTIO_META_CLUSTER_ID: "cluster-1",
    ISTIO_META_DNS_CAPTURE: "false",
    ISTIO_META_ISTIO_VERSION: "1.30.3",
    CONNECTION_TERMINATION_DEADLINE: "500ms",
    IPV6_ENABLED: "false",
    ...env,
  };
}

/** Rejects when nobody listens. */
async function dial(host: string, port: number): Promise<Socket> {
  const socket = connect({ host, port, allowHalfOpen: true });
  await once(socket, "connect");
  socket.on("error", () => undefined);
  return socket;
}

/** An application; the server is closed with all of its connections. */
export async function startApplication(
  address: string,
  serve: (socket: Socket) => void,
): Promise<{ readonly port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
    serve(socket);
  });
  server.listen(0, address);
  await once(server, "listening");
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** The mesh that most tests need: ztunnel's own workload, and a foreign one that speaks HBONE. */
export function basicMesh(webPort = 8080): readonly [WireResource, ...WireResource[]] {
  return [
    workloadResource({
      uid: "cluster-1//Pod/default/client",
      name: "client",
      namespace: "default",
      addresses: [Uint8Array.of(127, 0, 0, 2)],
      tunnelProtocol: 1,
      serviceAccount: "client",
      node: "node-a",
      canonicalName: "shop",
      canonicalRevision: "v7",
      workloadType: 0,
      workloadName: "shop-deployment",
      clusterId: "cluster-1",
      locality: { region: "r1", zone: "z1" },
      services: {
        "default/web.default.svc.cluster.local": { ports: [{ servicePort: 80, targetPort: webPort }] },
      },
    }),
    workloadResource({
      uid: "cluster-1//Pod/default/server",
      name: "server",
      namespace: "default",
      addresses: [Uint8Array.of(127, 0, 0, 3)],
      tunnelProtocol: 1,
      serviceAccount: "server",
      node: "node-b",
      workloadName: "server",
      services: {
        "default/shop.default.svc.cluster.local": { ports: [{ servicePort: 80, targetPort: 8080 }] },
      },
    }),
    serviceResource({
      name: "shop",
      namespace: "default",
      hostname: "shop.default.svc.cluster.local",
      addresses: [{ network: "", address: Uint8Array.of(10, 96, 0, 7) }],
      ports: [{ servicePort: 80, targetPort: 8080 }],
    }),
  ];
}

export function identityOf(serviceAccount: string, trustDomain = "cluster.local"): string {
  return `spiffe://${trustDomain}/ns/default/sa/${serviceAccount}`;
}

/** A ztunnel that follows an istiod of its own, for a whole file of tests. */
export async function startScene(
  authority: ForeignAuthority,
  istiod: ForeignIstiod,
  options: Partial<ZtunnelOptions> = {},
  mesh: readonly WireResource[] = basicMesh(),
): Promise<OurZtunnel> {
  istiod.push(...mesh);
  const ours = await startOurZtunnel({ istiod, roots: authority.rootPem, ...options });
  await ours.listening;
  return ours;
}
