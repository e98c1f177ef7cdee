/**
 * Asks the real name servers, from inside the pod (reference: protocol §9). Each question has a socket and a port of its
 * own and a random id: what cannot be guessed cannot be answered by a stranger.
 */

import { randomInt } from "node:crypto";
import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { isIpv6, type SocketAddress } from "@meltemi/model";
import { describeError, detach, MeshError } from "@meltemi/runtime";
import { adoptUdp } from "../sockets/adopt.ts";
import { anyAddress, type PodSockets } from "../sockets/pod-sockets.ts";
import { type DnsQuery, isAnswerTo, withId } from "./message.ts";
import { FrameReader, frame } from "./tcp-framing.ts";

export interface ForwarderOptions {
  readonly nameservers: readonly SocketAddress[];
  /** For each server in turn; a stub resolver itself gives up after 5 s. */
  readonly timeoutMs: number;
  /** Questions in flight for one pod; each holds a descriptor. */
  readonly maxInFlight: number;
}

export const FORWARDER_DEFAULTS: Omit<ForwarderOptions, "nameservers"> = {
  timeoutMs: 2000,
  maxInFlight: 256,
};

export interface Forwarder {
  /** The raw answer with the id of the question. Rejects: LIMIT_EXCEEDED, UNAVAILABLE when no server answers. */
  forward(question: Uint8Array, query: DnsQuery, transport: "udp" | "tcp"): Promise<Uint8Array>;
}

export function createForwarder(
  options: ForwarderOptions,
  deps: { readonly sockets: PodSockets },
): Forwarder {
  let inFlight = 0;
  return {
    async forward(question, query, transport) {
      if (inFlight >= options.maxInFlight)
        throw new MeshError(
          "LIMIT_EXCEEDED",
          `forward DNS: more than ${options.maxInFlight} questions at once`,
        );
      inFlight++;
      try {
        return await askInTurn(question, query, transport);
      } finally {
        inFlight--;
      }
    },
  };

  async function askInTurn(
    question: Uint8Array,
    query: DnsQuery,
    transport: "udp" | "tcp",
  ): Promise<Uint8Array> {
    const faults: string[] = [];
    for (const server of options.nameservers) {
      const id = randomInt(0x1_0000);
      const ask = transport === "udp" ? askOverUdp : askOverTcp;
      try {
        return withId(await ask(server, withId(question, id), id, query), query.id);
      } catch (error) {
        faults.push(`${server.ip}: ${describeError(error)}`);
      }
    }
    throw new MeshError(
      "UNAVAILABLE",
      `forward DNS: no name server answered: ${faults.join("; ") || "none known"}`,
    );
  }

  function askOverUdp(
    server: SocketAddress,
    message: Uint8Array,
    id: number,
    query: DnsQuery,
  ): Promise<Uint8Array> {
    const ipv6 = isIpv6(server.ip);
    const signal = AbortSignal.timeout(options.timeoutMs);
    const fd = deps.sockets.bindUdp({ ip: anyAddress(ipv6), port: 0 });
    const socket = createSocket(ipv6 ? "udp6" : "udp4");
    adoptUdp(socket, fd);
    return new Promise<Uint8Array>((resolve, reject) => {
      signal.addEventListener("abort", () => reject(new MeshError("TIMEOUT", "no answer")), { once: true });
      socket.on("error", reject);
      socket.on("message", (answer, from) => {
        if (from.port === server.port && isAnswerTo(answer, id, query)) resolve(answer);
      });
      // Connected, the kernel drops whatever does not come from the server that was asked.
      // Node calls back with the error when there is no way to the server, and what is thrown in there ends the process.
      socket.connect(server.port, server.ip, (error?: Error) => {
        if (error === undefined) detach(() => socket.send(message), reject);
        else reject(error);
      });
    }).finally(() => closeQuietly(socket));
  }

  async function askOverTcp(
    server: SocketAddress,
    message: Uint8Array,
    id: number,
    query: DnsQuery,
  ): Promise<Uint8Array> {
    const signal = AbortSignal.timeout(options.timeoutMs);
    const socket = await deps.sockets.dial(server, { timeoutMs: options.timeoutMs, signal });
    try {
      return await new Promise<Uint8Array>((resolve, reject) => {
        const reader = new FrameReader();
        signal.addEventListener("abort", () => reject(new MeshError("TIMEOUT", "no answer")), { once: true });
        socket.on("error", reject);
        socket.on("end", () => reject(new MeshError("UNAVAILABLE", "closed without an answer")));
        socket.on("data", (chunk: Buffer) => {
          const frames = reader.push(chunk);
          if (frames.kind === "bad") reject(new MeshError("PROTOCOL_VIOLATION", frames.why));
          else for (const answer of frames.messages) if (isAnswerTo(answer, id, query)) resolve(answer);
        });
        socket.write(frame(message));
      });
    } finally {
      socket.destroy();
    }
  }
}

/** A socket whose bind failed was never opened; closing it then throws. */
function closeQuietly(socket: UdpSocket): void {
  socket.removeAllListeners("message");
  try {
    socket.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_SOCKET_DGRAM_NOT_RUNNING") throw error;
  }
}
