/**
 * The peer: two HAProxy 2.6 of Debian, one thread each, one per node's pod. TCP in, TLS 1.3 with certificates on both sides between
 * them, TCP out; a new TLS connection for each connection, as its TCP mode does.
 */

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connectTcp, openNetworkNamespace } from "@meltemi/linux";
import type { LabPlace } from "@meltemi/testkit";
import type { Credentials } from "./credentials.ts";
import { APPLICATION_PORTS } from "./messages.ts";
import { startProgram, stopProgram } from "./place-process.ts";
import type { Scene } from "./scene.ts";

export interface HaproxyPair extends AsyncDisposable {
  readonly pids: readonly [number, number];
  /** Entry port for a port of the application, on the client pod's loopback. */
  entry(port: number, sessions: "resumed" | "full"): number;
}

/** HAProxy's defaults: a TLS session is resumed when there is one. */
const ENTRY_OFFSET = 10_000;
/** The same with a full handshake each time, as the mesh asks of both ends. */
const FULL_ENTRY_OFFSET = 30_000;
const TUNNEL_OFFSET = 20_000;
const DEADLINE_MS = 5000;
const POLL_MS = 5;

const COMMON = `
global
  nbthread 1
  maxconn 9000
  ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256
  ssl-default-server-ciphersuites TLS_AES_128_GCM_SHA256
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-server-options ssl-min-ver TLSv1.3
  ssl-default-bind-curves X25519
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
`;

export async function startHaproxyPair(scene: Scene): Promise<HaproxyPair> {
  const { client, server } = scene.plain;
  const { folder, authority } = scene;
  const files = (name: string, from: Credentials): string => {
    writeFileSync(`${folder}/haproxy-${name}.pem`, from.cert + from.key);
    writeFileSync(`${folder}/haproxy-ca.pem`, from.ca);
    return `crt ${folder}/haproxy-${name}.pem ca-file ${folder}/haproxy-ca.pem verify required`;
  };
  const [ours, theirs] = [files("client", authority.client), files("server", authority.server)];
  const section = (offset: number, make: (port: number) => readonly string[]): string =>
    Object.values(APPLICATION_PORTS)
      .map((port) => `listen p${port + offset}\n  ${make(port).join("\n  ")}\n`)
      .join("");
  const far = section(TUNNEL_OFFSET, (port) => [
    `bind :${port + TUNNEL_OFFSET} ssl ${theirs}`,
    `server application 127.0.0.1:${port}`,
  ]);
  const entry = (offset: number, more: string): string =>
    section(offset, (port) => [
      `bind 127.0.0.1:${port + offset}`,
      `server far ${server.ipv4}:${port + TUNNEL_OFFSET} ssl ${ours}${more}`,
    ]);
  const near = entry(ENTRY_OFFSET, "") + entry(FULL_ENTRY_OFFSET, " no-ssl-reuse");
  await using stack = new AsyncDisposableStack();
  const b = await start(server, `${folder}/haproxy-server.cfg`, far, APPLICATION_PORTS.echo + TUNNEL_OFFSET);
  stack.defer(() => stopProgram(b));
  const a = await start(client, `${folder}/haproxy-client.cfg`, near, APPLICATION_PORTS.echo + ENTRY_OFFSET);
  stack.defer(() => stopProgram(a));
  const owned = stack.move();
  return {
    pids: [a.pid ?? 0, b.pid ?? 0],
    entry: (port, sessions) => port + (sessions === "full" ? FULL_ENTRY_OFFSET : ENTRY_OFFSET),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function start(place: LabPlace, path: string, sections: string, port: number): Promise<ChildProcess> {
  writeFileSync(path, COMMON + sections);
  // -db: in the foreground, one process.
  const child = startProgram(place, ["haproxy", "-db", "-f", path], { logPath: `${path}.log` });
  const netns = openNetworkNamespace(place.path);
  try {
    for (const deadlineMs = performance.now() + DEADLINE_MS; ; ) {
      if (child.exitCode !== null || performance.now() > deadlineMs)
        throw new Error(`haproxy does not listen on ${port}, see ${path}.log`);
      const destination = { ip: "127.0.0.1", port };
      const socket = await connectTcp({ netns, destination }, AbortSignal.timeout(1000)).catch(
        () => undefined,
      );
      if (socket !== undefined) {
        socket.on("error", () => undefined);
        socket.destroy();
        return child;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } catch (error) {
    child.kill("SIGKILL");
    await once(child, "exit");
    throw error;
  } finally {
    netns.close();
  }
}
