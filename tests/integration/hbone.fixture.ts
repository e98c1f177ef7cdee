/** A real tunnel on loopback: app ← relay ← HBONE server ⇐ mTLS ⇐ pool ← relay ← client. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import {
  type ConnectionEnd,
  createHbonePool,
  createHboneServer,
  HBONE_POOL_DEFAULTS,
  HBONE_SERVER_DEFAULTS,
  type HbonePool,
  type HbonePoolOptions,
  type HboneRequest,
  type HboneServer,
  type HboneServerDeps,
  type HboneServerOptions,
  type PoolKey,
  type TunnelOutcome,
} from "@meltemi/hbone";
import { createTlsContexts, type TlsContexts, type WorkloadCertificate } from "@meltemi/identity";
import { createRelays, type RelayResult, type Relays, tcpChannel } from "@meltemi/l4";
import { type Identity, ip } from "@meltemi/model";
import { type Clock, MeshError, systemClock } from "@meltemi/runtime";
import { createTestAuthority, type TestAuthority } from "@meltemi/testkit";

export const CLIENT: Identity = { trustDomain: "cluster.local", namespace: "a", serviceAccount: "client" };
export const SERVER: Identity = { trustDomain: "cluster.local", namespace: "b", serviceAccount: "server" };
const LOCALHOST = ip("127.0.0.1");

export interface RigOptions {
  readonly authority?: TestAuthority;
  readonly clientCertificate?: WorkloadCertificate;
  readonly serverCertificate?: WorkloadCertificate;
  readonly server?: Partial<HboneServerOptions>;
  readonly pool?: Partial<HbonePoolOptions>;
  readonly clock?: Clock;
  /** Neither side gets a certificate. */
  readonly noCertificate?: boolean;
  /** Of the server, beyond what the rig itself gives it. */
  readonly serverDeps?: Partial<HboneServerDeps>;
  readonly onPoolError?: (error: unknown) => void;
  /** The application; echoes when not given. */
  readonly app?: (socket: Socket) => void;
  readonly onRequest?: (request: HboneRequest) => void;
}

/** Everything between a client and an application, each part reachable. */
export class Rig implements AsyncDisposable {
  readonly authority: TestAuthority;
  readonly server: HboneServer;
  readonly pool: HbonePool;
  readonly relays: Relays;
  readonly serverResults: RelayResult[] = [];
  readonly clientResults: RelayResult[] = [];
  readonly connectionEnds: ConnectionEnd[] = [];
  readonly requests: HboneRequest[] = [];
  readonly serverContexts: TlsContexts;
  readonly #listeners: Server[] = [];
  readonly #sockets = new Set<Socket>();
  hbonePort = 0;
  entryPort = 0;
  /** The pool's dials wait until they are given up. */
  dialsHang = false;
  appPort = 0;

  constructor(options: RigOptions) {
    const clock = options.clock ?? systemClock;
    this.authority = options.authority ?? createTestAuthority();
    const serve = (contexts: TlsContexts): TlsContexts => {
      if (options.noCertificate === true) throw new MeshError("UNAVAILABLE", "no certificate yet");
      return contexts;
    };
    const ours = createTlsContexts(options.clientCertificate ?? this.authority.issue(CLIENT));
    const theirs = createTlsContexts(options.serverCertificate ?? this.authority.issue(SERVER));
    this.serverContexts = theirs;
    this.relays = createRelays({ idleTimeoutMs: 0, halfOpenTimeoutMs: 0 }, { clock: systemClock });
    this.server = createHboneServer(
      { ...HBONE_SERVER_DEFAULTS, maxConnections: 1000, ...options.server },
      {
        clock,
        certificate: async () => serve(theirs),
        onRequest: options.onRequest ?? ((request) => this.#serve(request)),
        onConnectionEnd: (end) => this.connectionEnds.push(end),
        ...options.serverDeps,
      },
    );
    this.pool = createHbonePool(
      { ...HBONE_POOL_DEFAULTS, ...options.pool },
      {
        clock,
        certificate: async () => serve(ours),
        dial: (to, _from, signal) => this.#dialPool(to.port, signal),
        ...(options.onPoolError && { onInternalError: options.onPoolError }),
      },
    );
  }

  static async start(options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(options);
    rig.appPort = await rig.listen(options.app ?? ((socket) => socket.pipe(socket)));
    rig.hbonePort = await rig.listen((socket) => rig.server.accept(socket));
    rig.entryPort = await rig.listen((socket) => void rig.#enter(socket));
    return rig;
  }

  key(change: Partial<PoolKey> = {}): PoolKey {
    const destination = { ip: LOCALHOST, port: this.hbonePort };
    return { source: CLIENT, expected: [SERVER], destination, sourceIp: LOCALHOST, ...change };
  }

  open(change: Partial<PoolKey> = {}, signal?: AbortSignal): Promise<TunnelOutcome> {
    return this.pool.openTunnel(
      this.key(change),
      { authority: "10.0.0.1:80", headers: [["baggage", ""]] },
      signal,
    );
  }

  /** A client's connection through the whole path. */
  client(): Promise<Socket> {
    return this.dial(this.entryPort);
  }

  /** Listens on loopback with sockets that are paused and half-open capable; gives the port. */
  async listen(onSocket: (socket: Socket) => void): Promise<number> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      this.#keep(socket);
      onSocket(socket);
    });
    this.#listeners.push(server);
    await new Promise<void>((resolve) =>
      server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, resolve),
    );
    return (server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    await this.pool[Symbol.asyncDispose]();
    await this.server[Symbol.asyncDispose]();
    this.relays[Symbol.dispose]();
    for (const socket of this.#sockets) socket.destroy();
  }

  #dialPool(port: number, signal: AbortSignal): Promise<Socket> {
    if (!this.dialsHang) return this.dial(port);
    return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  }

  async dial(port: number): Promise<Socket> {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    this.#keep(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return socket;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
  }

  async #enter(socket: Socket): Promise<void> {
    const outcome = await this.open();
    if (outcome.kind !== "open") {
      socket.destroy();
      return;
    }
    this.clientResults.push(await this.relays.start(tcpChannel(socket), outcome.channel).finished);
  }

  #serve(request: HboneRequest): void {
    this.requests.push(request);
    void this.dial(this.appPort).then(
      async (socket) => {
        this.serverResults.push(await this.relays.start(request.accept([]), tcpChannel(socket)).finished);
      },
      () => request.refuse(503),
    );
  }
}

/** Reads to the end of the stream. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
