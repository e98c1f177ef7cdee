/**
 * The cluster's DNS server, as a pod: what CoreDNS is elsewhere, which Debian does not have. Names and answers are those of the local
 * cluster's server. Names outside the cluster are not answered.
 */

import { createSocket } from "node:dgram";
import { readFile } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { createServer, type Socket } from "node:net";
import {
  createInformer,
  createKubernetesClient,
  ENDPOINT_SLICES,
  type EndpointSlice,
  loadInCluster,
  NAMESPACES,
  SERVICES,
  withServedVersions,
} from "@meltemi/kubernetes";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import type { ClusterView } from "../../../components/local-cluster/src/dns/records.ts";
import { respond, serverFailure } from "../../../components/local-cluster/src/dns/respond.ts";

const DNS_PORT = 53;
const READY_PORT = 8181;
const SERVICE_NAME = "kubernetes.io/service-name";
/** RFC 7766 §6.2.3. */
const TCP_IDLE_MS = 10_000;

const log = createLogger(
  {
    filter: new LogFilter("info"),
    format: "plain",
    nowMs: () => systemClock.nowMs(),
    write: (line) => void process.stdout.write(line),
  },
  "dns",
);

async function main(): Promise<void> {
  const { view, synced } = await followCluster();
  const answer = (query: Buffer, transport: "udp" | "tcp"): Buffer | undefined => {
    const response = respond(view, query, transport);
    if (response.kind === "ignore") return undefined;
    return response.kind === "answer" ? response.bytes : serverFailure(query);
  };
  await synced;
  const udp = createSocket("udp4");
  udp.on("message", (query, from) => {
    const bytes = answer(query, "udp");
    // The client may be gone; UDP owes it nothing.
    if (bytes !== undefined) udp.send(bytes, from.port, from.address, () => undefined);
  });
  udp.bind(DNS_PORT);
  createServer((socket) => serveTcp(socket, (query) => answer(query, "tcp"))).listen(DNS_PORT);
  createHttpServer((_, response) => response.end("ok\n")).listen(READY_PORT);
  log.info("serving", { port: DNS_PORT });
}

async function followCluster(): Promise<{ readonly view: ClusterView; readonly synced: Promise<unknown> }> {
  const access = await loadInCluster({
    env: process.env,
    clock: systemClock,
    readFile: (path) => readFile(path, "utf8"),
  });
  const client = withServedVersions(createKubernetesClient(access, { clock: systemClock }));
  const deps = { clock: systemClock, random: Math.random, log };
  const services = createInformer(client, SERVICES, {}, deps);
  const namespaces = createInformer(client, NAMESPACES, {}, deps);
  const slices = createInformer(client, ENDPOINT_SLICES, { indexes: { service: serviceOf } }, deps);
  return {
    view: {
      service: (namespace, name) => services.get(`${namespace}/${name}`),
      slices: (namespace, service) => slices.byIndex("service", `${namespace}/${service}`),
      hasNamespace: (namespace) => namespaces.get(namespace) !== undefined,
    },
    synced: Promise.all([services.synced, namespaces.synced, slices.synced]),
  };
}

function serviceOf(slice: EndpointSlice): readonly string[] {
  const service = slice.metadata?.labels?.[SERVICE_NAME];
  return service === undefined ? [] : [`${slice.metadata?.namespace ?? ""}/${service}`];
}

/** Messages with two bytes of length before each (RFC 1035 §4.2.2). */
function serveTcp(socket: Socket, answer: (query: Buffer) => Buffer | undefined): void {
  let buffered: Buffer = Buffer.alloc(0);
  socket.setTimeout(TCP_IDLE_MS, () => socket.destroy());
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk]);
    while (buffered.length >= 2 && buffered.length >= 2 + buffered.readUInt16BE(0)) {
      const end = 2 + buffered.readUInt16BE(0);
      const bytes = answer(buffered.subarray(2, end));
      buffered = buffered.subarray(end);
      if (bytes === undefined) return void socket.destroy();
      const length = Buffer.alloc(2);
      length.writeUInt16BE(bytes.length);
      socket.write(Buffer.concat([length, bytes]));
    }
  });
}

process.once("SIGTERM", () => process.exit(0));
await main();
