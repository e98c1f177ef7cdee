/** gRPC without schemas: messages are bytes. `/echo.Echo/Say` answers once, `/echo.Echo/Chat` each message with one. */

import {
  Server as GrpcServer,
  type Metadata,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { describeBody, type Report, type Server } from "./report.ts";

const bytes = (value: Buffer): Buffer => value;
const INTERNAL_HTTP_FAILURE = 503;

const method = (name: string, stream: boolean) => ({
  path: `/echo.Echo/${name}`,
  requestStream: stream,
  responseStream: stream,
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
});

/** Calls that are told to fail do so with their `status`, or with UNAVAILABLE. */
export function serveGrpc(port: number, server: Server): Promise<void> {
  const grpc = new GrpcServer();
  grpc.addService(
    { say: method("Say", false), chat: method("Chat", true), other: { ...method("Other", false) } },
    {
      say: (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) => say(server, call, reply),
      other: (call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>) =>
        say(server, call, reply),
      chat: (call: ServerDuplexStream<Buffer, Buffer>) => chat(server, call),
    },
  );
  return new Promise((resolve, reject) => {
    grpc.bindAsync(`[::]:${port}`, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

function say(server: Server, call: ServerUnaryCall<Buffer, Buffer>, reply: sendUnaryData<Buffer>): void {
  const command = server.behaviour.decide(String(call.metadata.get("x-echo")[0] ?? ""));
  if (command.crash) process.exit(1);
  const end = (): void => {
    const code = command.status === INTERNAL_HTTP_FAILURE ? status.UNAVAILABLE : command.status;
    const failed = code !== undefined && code !== status.OK;
    if (failed) reply({ code, details: "as was asked" });
    else reply(null, Buffer.from(JSON.stringify(reportOf(server, call))));
  };
  if (command.delayMs > 0) setTimeout(end, command.delayMs);
  else end();
}

function chat(server: Server, call: ServerDuplexStream<Buffer, Buffer>): void {
  call.on("data", (message: Buffer) => {
    call.write(Buffer.from(`${server.identity.version} ${message}`));
  });
  call.on("end", () => call.end());
  call.on("error", () => call.destroy());
}

function reportOf({ identity }: Server, call: ServerUnaryCall<Buffer, Buffer>): Report {
  return {
    ...identity,
    protocol: "grpc",
    method: "POST",
    path: call.getPath(),
    host: call.getHost(),
    headers: headersOf(call.metadata),
    trailers: {},
    body: describeBody(call.request),
    port: 0,
    clientAddress: call.getPeer(),
    connection: 0,
  };
}

function headersOf(metadata: Metadata): Record<string, string> {
  return Object.fromEntries(
    Object.keys(metadata.getMap()).map((name) => [name, metadata.get(name).map(String).join(", ")]),
  );
}
