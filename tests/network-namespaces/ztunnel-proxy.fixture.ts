/** A ztunnel in the test's own process: everything of it is real but the control plane and the CA. */

import { ZTUNNEL_MARK } from "@meltemi/ebpf";
import { type CertificateManager, createCertificateManager } from "@meltemi/identity";
import type { SocketAddress } from "@meltemi/model";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { eventually, type TestAuthority } from "@meltemi/testkit";
import type { XdsUpdate } from "@meltemi/xds";
import { createZdsClient } from "@meltemi/zds";
import { readConfig } from "../../components/ztunnel/src/config.ts";
import { createPodSockets } from "../../components/ztunnel/src/sockets/pod-sockets.ts";
import { startZtunnel, type Ztunnel } from "../../components/ztunnel/src/ztunnel.ts";
import type { MeshPod } from "./ztunnel-pod.fixture.ts";
import { startWatch, type Watch } from "./ztunnel-watch.fixture.ts";

export interface ProxyOptions {
  /** Environment of every ztunnel. */
  readonly env?: Readonly<Record<string, string>>;
  readonly nameservers?: readonly SocketAddress[];
}

/** What a ztunnel knows of the mesh when it starts. */
export interface ProxyScene {
  readonly options: ProxyOptions;
  readonly authority: TestAuthority;
  readonly known: Iterable<XdsUpdate>;
}

/** A running ztunnel. */
export interface MeshProxy {
  readonly ztunnel: Ztunnel;
  readonly lines: readonly string[];
  readonly certificates: CertificateManager;
  metrics(): string;
  /** Log lines and counts from now on. */
  watch(): Watch;
}

export interface ToldProxy extends MeshProxy {
  /** As the control plane. */
  send(update: XdsUpdate): void;
}

type Place =
  | { readonly kind: "shared"; readonly socket: string }
  | { readonly kind: "dedicated"; readonly pod: MeshPod };

function environmentOf(place: Place): Record<string, string> {
  if (place.kind === "shared") return { INPOD_UDS: place.socket };
  const { namespace, name, serviceAccount } = place.pod.workload;
  const PROXY_WORKLOAD_INFO = `${namespace}/${name}/${serviceAccount}`;
  return { PROXY_MODE: "dedicated", PROXY_WORKLOAD_INFO, PACKET_MARK: String(ZTUNNEL_MARK) };
}

/** Resolves when it is ready. */
export async function launchProxy(mesh: ProxyScene, node: string, place: Place): Promise<ToldProxy> {
  const lines: string[] = [];
  const filter = new LogFilter("info");
  const logger = createLogger(
    { filter, format: "plain", nowMs: Date.now, write: (line) => void lines.push(line) },
    "ztunnel",
  );
  const registry = createRegistry();
  const certificates = createCertificateManager(
    {},
    {
      clock: systemClock,
      random: Math.random,
      fetch: async (identity) => mesh.authority.issue(identity),
    },
  );
  let send = (_: XdsUpdate): void => undefined;
  const config = readConfig({
    NODE_NAME: node,
    ...environmentOf(place),
    CONNECTION_TERMINATION_DEADLINE: "300ms",
    ...mesh.options.env,
  });
  const ztunnel = await startZtunnel(
    { ...config, admin: { adminPort: 0, statsPort: 0, readinessPort: 0 } },
    {
      clock: systemClock,
      random: Math.random,
      logger,
      filter,
      registry,
      certificates,
      admission: { process: 20_000, pod: 20_000 },
      nameservers: mesh.options.nameservers ?? [],
      lookup: () => Promise.reject(new Error("no DNS of the machine in this test")),
      // A ztunnel of its own would be a process in the pod's namespace: here, its sockets are.
      sockets: (namespace = place.kind === "dedicated" ? place.pod.netns : undefined) =>
        createPodSockets(
          { namespace, mark: config.mode.packetMark, portReuse: true },
          { clock: systemClock },
        ),
      ...(place.kind === "dedicated"
        ? { dedicated: { workload: place.pod.workload } }
        : {
            nodeAgent: (handler) =>
              createZdsClient(
                { path: place.socket },
                { clock: systemClock, random: Math.random, log: logger, handler },
              ),
          }),
      controlPlane: (onUpdate) => {
        send = onUpdate;
        for (const update of mesh.known) onUpdate(update);
        return {
          start: () => undefined,
          synced: Promise.resolve(),
          connected: true,
          fetch: () => Promise.resolve(),
          renew: () => undefined,
          forget: () => undefined,
          heldCount: () => 0,
          [Symbol.asyncDispose]: () => Promise.resolve(),
        };
      },
      adminHost: "127.0.0.1",
    },
  );
  await eventually(() => ztunnel.readiness.pending().length === 0);
  const metrics = (): string => registry.exposition(undefined).body;
  return {
    ztunnel,
    lines,
    certificates,
    metrics,
    watch: () => startWatch(node, lines, metrics),
    send: (update) => send(update),
  };
}
