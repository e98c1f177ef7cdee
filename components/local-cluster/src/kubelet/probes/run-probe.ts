/** Asks once. Sockets are made in the node's namespace, as on a real node: a pod sees its node's address. */

import { request } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { connectTcp, type NetworkNamespace } from "@meltemi/linux";
import { unreachable } from "@meltemi/runtime";
import type { ProbeTarget } from "./probe-target.ts";

export type ProbeOutcome =
  | { readonly kind: "success" }
  | { readonly kind: "failure"; readonly message: string };

export interface ProbeDependencies {
  readonly netns: NetworkNamespace;
  /** Runs a command in the container; rejects when it could not be run at all. */
  readonly exec: (
    command: readonly string[],
    timeoutMs: number,
  ) => Promise<{ readonly code: number; readonly output: string }>;
}

/** The kubelet keeps this much of an answer for its message. */
const MESSAGE_BYTES = 256;

export async function runProbe(
  target: ProbeTarget,
  timeoutMs: number,
  deps: ProbeDependencies,
): Promise<ProbeOutcome> {
  try {
    switch (target.kind) {
      case "exec":
        return await probeExec(target.command, timeoutMs, deps);
      case "tcp":
        return await probeTcp(target.host, target.port, timeoutMs, deps);
      case "http":
        return await probeHttp(target, timeoutMs, deps);
      case "grpc":
        return await probeGrpc(target, timeoutMs, deps);
      default:
        return unreachable(target);
    }
  } catch (error) {
    return { kind: "failure", message: error instanceof Error ? error.message : String(error) };
  }
}

async function probeExec(
  command: readonly string[],
  timeoutMs: number,
  deps: ProbeDependencies,
): Promise<ProbeOutcome> {
  const { code, output } = await deps.exec(command, timeoutMs);
  return code === 0
    ? { kind: "success" }
    : { kind: "failure", message: output.trim().slice(0, MESSAGE_BYTES) || `exit code ${code}` };
}

/** Connected, or rejects. The socket is the caller's to destroy. */
async function openSocket(
  host: string,
  port: number,
  timeoutMs: number,
  deps: ProbeDependencies,
): Promise<Socket> {
  const destination = { ip: host, port };
  const socket = await connectTcp(
    { netns: deps.netns, destination, noDelay: true },
    AbortSignal.timeout(timeoutMs),
  );
  socket.on("error", () => socket.destroy());
  return socket;
}

async function probeTcp(
  host: string,
  port: number,
  timeoutMs: number,
  deps: ProbeDependencies,
): Promise<ProbeOutcome> {
  const socket = await openSocket(host, port, timeoutMs, deps);
  socket.destroy();
  return { kind: "success" };
}

async function probeHttp(
  target: Extract<ProbeTarget, { kind: "http" }>,
  timeoutMs: number,
  deps: ProbeDependencies,
): Promise<ProbeOutcome> {
  const plain = await openSocket(target.host, target.port, timeoutMs, deps);
  // As the kubelet: a probe asks whether the program answers, not who it is.
  const socket = target.scheme === "https" ? connectTls({ socket: plain, rejectUnauthorized: false }) : plain;
  const headers = new Map([
    ["user-agent", "kube-probe/1.32"],
    ["accept", "*/*"],
    ["connection", "close"],
    ...target.headers.map(([name, value]) => [name.toLowerCase(), value] as const),
  ]);
  return new Promise((resolve) => {
    const finish = (outcome: ProbeOutcome): void => {
      clearTimeout(timer);
      plain.destroy();
      resolve(outcome);
    };
    const timer = setTimeout(() => finish({ kind: "failure", message: "no answer in time" }), timeoutMs);
    const call = request({
      createConnection: () => socket,
      host: target.host,
      port: target.port,
      path: target.path,
      headers: Object.fromEntries(headers),
    });
    call.on("error", (error) => finish({ kind: "failure", message: error.message }));
    call.on("response", (response) => {
      response.destroy();
      const status = response.statusCode ?? 0;
      // 2xx and 3xx are success: reference Kubernetes, HTTPGetAction.
      if (status >= 200 && status < 400) finish({ kind: "success" });
      else finish({ kind: "failure", message: `HTTP probe failed with statuscode: ${status}` });
    });
    call.end();
  });
}

const SERVING = 1;

/** grpc.health.v1.Health/Check: one request message, one answer whose field 1 is the serving status. */
async function probeGrpc(
  target: Extract<ProbeTarget, { kind: "grpc" }>,
  timeoutMs: number,
  deps: ProbeDependencies,
): Promise<ProbeOutcome> {
  const socket = await openSocket(target.host, target.port, timeoutMs, deps);
  const session: ClientHttp2Session = connectHttp2(`http://${target.host}:${target.port}`, {
    createConnection: () => socket,
  });
  try {
    const status = await askHealth(session, target.service, timeoutMs);
    return status === SERVING
      ? { kind: "success" }
      : { kind: "failure", message: `service unhealthy (status ${status ?? "unknown"})` };
  } finally {
    session.destroy();
  }
}

function askHealth(
  session: ClientHttp2Session,
  service: string,
  timeoutMs: number,
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no answer in time")), timeoutMs);
    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      finish();
    };
    session.on("error", (error) => settle(() => reject(error)));
    const call = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
    });
    let answer: Buffer = Buffer.alloc(0);
    call.on("data", (chunk: Buffer) => {
      if (answer.length < MESSAGE_BYTES) answer = Buffer.concat([answer, chunk]);
    });
    call.on("error", (error) => settle(() => reject(error)));
    call.on("end", () => settle(() => resolve(healthStatus(answer))));
    call.end(healthRequest(service));
  });
}

function healthRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** `HealthCheckResponse{status}`: five bytes of gRPC head, then tag 0x08 and the value. */
function healthStatus(answer: Buffer): number | undefined {
  return answer.length >= 7 && answer[5] === 0x08 ? answer[6] : undefined;
}
