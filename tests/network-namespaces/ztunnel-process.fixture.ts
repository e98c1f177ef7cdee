/**
 * ztunnel as the process that it is in production, in a namespace of its own, with a control plane and a CA that it reaches by
 * gRPC on its loopback. What they say, and how badly, is up to the test.
 */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type ServerDuplexStream, type sendUnaryData } from "@grpc/grpc-js";
import { certificatePem, issueLeaf, readCertificateSigningRequest, writePem } from "@meltemi/identity";
import { createTcpListener, type NetworkNamespace } from "@meltemi/linux";
import { type Service, serviceKey, type Workload } from "@meltemi/model";
import { eventually, type LabPlace, type TestAuthority } from "@meltemi/testkit";
import { ca, discovery } from "@meltemi/wire";
import { ADDRESS_TYPE_URL, DELTA_METHOD, encodeAddress } from "@meltemi/xds";

const HOUR_MS = 3_600_000;
/** Where the process finds both on its loopback. */
const CONTROL_PLANE_PORT = 15010;

type Call = ServerDuplexStream<discovery.DeltaDiscoveryRequest, Buffer>;

export interface ControlPlane extends AsyncDisposable {
  put(...items: readonly (Workload | Service)[]): void;
  /** Writes these bytes as a response to every stream. */
  say(bytes: Uint8Array): void;
  /** One address resource of this content, rightly framed. */
  sayAddress(name: string, value: Uint8Array): void;
  /** Error texts of responses that were refused. */
  readonly refusals: readonly string[];
  readonly streams: number;
}

/** Serves on loopback of this process, and through a relay on that of `netns`. */
export async function startControlPlane(
  authority: TestAuthority,
  netns: NetworkNamespace,
): Promise<ControlPlane> {
  const known = new Map<string, Uint8Array>();
  const calls = new Set<Call>();
  const refusals: string[] = [];
  let [nonce, streams] = [0, 0];
  const respond = (
    call: Call,
    typeUrl: string,
    resources: readonly (readonly [string, Uint8Array])[],
  ): void => {
    const response = create(discovery.DeltaDiscoveryResponseSchema, {
      nonce: String(++nonce),
      typeUrl,
      resources: resources.map(([name, value]) => ({
        name,
        version: String(nonce),
        resource: { typeUrl, value },
      })),
    });
    call.write(Buffer.from(toBinary(discovery.DeltaDiscoveryResponseSchema, response)));
  };
  const serve = (call: Call): void => {
    streams++;
    calls.add(call);
    const told = new Set<string>();
    call.on("error", () => calls.delete(call)).on("close", () => calls.delete(call));
    call.on("end", () => call.end());
    call.on("data", (request: discovery.DeltaDiscoveryRequest) => {
      if (request.errorDetail !== undefined) refusals.push(request.errorDetail.message);
      if (told.has(request.typeUrl)) return;
      told.add(request.typeUrl);
      respond(call, request.typeUrl, request.typeUrl === ADDRESS_TYPE_URL ? [...known] : []);
    });
  };
  const server = new Server();
  server.addService(
    { delta: deltaMethod, createCertificate: certificateMethod },
    {
      delta: serve,
      createCertificate: (
        call: { readonly request: ca.IstioCertificateRequest },
        done: sendUnaryData<unknown>,
      ) => done(null, issue(authority, call.request)),
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const relay = await relayInto(netns, port);
  return {
    refusals,
    get streams() {
      return streams;
    },
    put(...items) {
      for (const item of items) {
        const value = encodeAddress(
          "uid" in item ? { kind: "workload", workload: item } : { kind: "service", service: item },
        );
        const name = "uid" in item ? item.uid : serviceKey(item);
        known.set(name, value);
        for (const call of calls) respond(call, ADDRESS_TYPE_URL, [[name, value]]);
      }
    },
    say(bytes) {
      for (const call of calls) call.write(Buffer.from(bytes));
    },
    sayAddress(name, value) {
      for (const call of calls) respond(call, ADDRESS_TYPE_URL, [[name, value]]);
    },
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
      await relay[Symbol.asyncDispose]();
    },
  };
}

const asIs = (bytes: Buffer): Buffer => bytes;
const deltaMethod = {
  path: DELTA_METHOD,
  requestStream: true as const,
  responseStream: true as const,
  requestDeserialize: (bytes: Buffer) => fromBinary(discovery.DeltaDiscoveryRequestSchema, bytes),
  requestSerialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
};
const certificateMethod = {
  path: "/istio.v1.auth.IstioCertificateService/CreateCertificate",
  requestStream: false as const,
  responseStream: false as const,
  requestDeserialize: (bytes: Buffer) => fromBinary(ca.IstioCertificateRequestSchema, bytes),
  requestSerialize: asIs,
  responseSerialize: (value: ca.IstioCertificateResponse) =>
    Buffer.from(toBinary(ca.IstioCertificateResponseSchema, value)),
  responseDeserialize: asIs,
};

function issue(authority: TestAuthority, request: ca.IstioCertificateRequest): ca.IstioCertificateResponse {
  const csr = readCertificateSigningRequest(request.csr);
  const identity = request.metadata?.["ImpersonatedIdentity"];
  if (csr.kind === "bad" || typeof identity !== "string")
    throw new TypeError("certificate request: not ours to sign");
  const leaf = issueLeaf(
    authority.issuer,
    {
      publicKeySpki: csr.value.publicKey.spki,
      names: { uris: [identity] },
      uses: ["serverAuth", "clientAuth"],
      notBeforeMs: Date.now() - HOUR_MS,
      notAfterMs: Date.now() + HOUR_MS,
    },
    randomBytes,
  );
  return create(ca.IstioCertificateResponseSchema, {
    certChain: [writePem(leaf, "CERTIFICATE"), certificatePem(authority.root.certificate)],
  });
}

async function relayInto(netns: NetworkNamespace, port: number): Promise<AsyncDisposable> {
  const address = { ip: "127.0.0.1", port: CONTROL_PLANE_PORT };
  const { fd } = createTcpListener({ netns, address, backlog: 16 });
  const listener = createServer((inner) => {
    const outer = connect(port, "127.0.0.1");
    inner.on("error", () => outer.destroy()).on("close", () => outer.destroy());
    outer.on("error", () => inner.destroy()).on("close", () => inner.destroy());
    inner.pipe(outer).pipe(inner);
  });
  listener.listen({ fd });
  await once(listener, "listening");
  return {
    async [Symbol.asyncDispose]() {
      listener.close();
    },
  };
}

export interface ZtunnelProcess {
  readonly pid: number;
  readonly lines: readonly string[];
  /** Resolves with the exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
  openFiles(): number;
  maxOpenFiles(): number;
  residentBytes(): number;
  /** What its objects take, garbage excluded. */
  heapBytes(): Promise<number>;
}

const MAIN = fileURLToPath(new URL("../../components/ztunnel/src/main.mjs", import.meta.url));

/** Loaded before the program: told by a signal, it collects all garbage, twice for what the first time released, and says what is left. */
const HEAP_REPORT = `data:text/javascript,${encodeURIComponent(`
  import { setFlagsFromString } from "node:v8";
  import { runInNewContext } from "node:vm";
  process.on("SIGUSR2", () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc");
    collect();
    setTimeout(() => {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      console.log("heap_bytes=" + (heapUsed + external));
    }, 100);
  });
`)}`;

/** Starts the program in `place` as pod `istio-system/ztunnel`; resolves at once. */
export function spawnZtunnel(place: LabPlace, node: string, agentSocket: string): ZtunnelProcess {
  const environment = {
    NODE_NAME: node,
    POD_NAME: "ztunnel",
    POD_NAMESPACE: "istio-system",
    SERVICE_ACCOUNT: "ztunnel",
    INPOD_UDS: agentSocket,
    XDS_ADDRESS: `http://127.0.0.1:${CONTROL_PLANE_PORT}`,
    CA_ADDRESS: `http://127.0.0.1:${CONTROL_PLANE_PORT}`,
    // Plaintext on loopback has no certificate to judge.
    XDS_ROOT_CA: "SYSTEM",
    CA_ROOT_CA: "SYSTEM",
    AUTH_TOKEN: "a-token",
    CONNECTION_TERMINATION_DEADLINE: "300ms",
    // As in the DaemonSet that `istioctl install` makes.
    NODE_OPTIONS: "--max-semi-space-size=4 --v8-pool-size=1",
    MALLOC_ARENA_MAX: "2",
  };
  const words = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const child = place.spawn([
    "env",
    ...words,
    process.execPath,
    "--import",
    HEAP_REPORT,
    MAIN,
    "proxy",
    "ztunnel",
  ]);
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    if (stream !== null) createInterface({ input: stream }).on("line", (line) => void lines.push(line));
  const pid = child.pid ?? 0;
  return {
    pid,
    lines,
    ended: new Promise((resolve) => child.once("exit", resolve)),
    kill: (signal) => void child.kill(signal),
    openFiles: () => readdirSync(`/proc/${pid}/fd`).length,
    maxOpenFiles: () =>
      Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"))?.[1] ?? 0),
    residentBytes: () =>
      1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0),
    async heapBytes() {
      const before = lines.length;
      child.kill("SIGUSR2");
      return eventually(() => {
        const line = lines.slice(before).find((one) => one.startsWith("heap_bytes="));
        return line !== undefined && Number(line.slice("heap_bytes=".length));
      });
    },
  };
}

/** Waits for a line of the log. */
export function logged(ztunnel: ZtunnelProcess, pattern: RegExp): Promise<string> {
  return eventually(
    () => {
      const found = ztunnel.lines.find((line) => pattern.test(line));
      if (found === undefined) throw new Error(`no ${pattern} in:\n${ztunnel.lines.slice(-20).join("\n")}`);
      return found;
    },
    { deadlineMs: 15_000 },
  );
}
