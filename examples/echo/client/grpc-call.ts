/** gRPC by grpc-js: whoever answers must be understood by a client that everybody uses. */

import { Client, credentials, Metadata, type ServiceError, type StatusObject } from "@grpc/grpc-js";
import type { Answer, GrpcCall } from "./call.ts";
import { type Outcome, timed } from "./outcome.ts";

const bytes = (value: Buffer): Buffer => value;

export async function callGrpc(call: GrpcCall, timeoutMs: number): Promise<readonly Answer[]> {
  const client = new Client(call.target, credentials.createInsecure());
  const make = call.method === "Chat" ? chat : say;
  const answers: Answer[] = [];
  for (let i = 0; i < (call.times ?? 1); i++) answers.push(await timed(() => make(client, call, timeoutMs)));
  client.close();
  return answers;
}

const pathOf = ({ service = "echo.Echo", method = "Say" }: GrpcCall): string => `/${service}/${method}`;

function metadataOf({ metadata = {} }: GrpcCall): Metadata {
  const made = new Metadata();
  for (const [name, value] of Object.entries(metadata)) made.set(name, value);
  return made;
}

function flat(metadata: Metadata): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata.getMap()).map(([name, value]) => [name, String(value)]));
}

function say(client: Client, call: GrpcCall, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    let headers = {};
    let answer = "";
    const message = Buffer.from(call.messages?.[0] ?? "");
    const deadline = Date.now() + timeoutMs;
    const sent = client.makeUnaryRequest(
      pathOf(call),
      bytes,
      bytes,
      message,
      metadataOf(call),
      { deadline },
      (error: ServiceError | null, value?: Buffer) => {
        answer = error === null ? String(value) : error.details;
      },
    );
    sent.on("metadata", (metadata) => {
      headers = flat(metadata);
    });
    sent.on("status", (status) => resolve(outcomeOf(status, headers, answer)));
  });
}

function outcomeOf(status: StatusObject, headers: Record<string, string>, body: string): Outcome {
  const trailers = flat(status.metadata);
  return { status: status.code, headers, trailers, body: body === "" ? status.details : body };
}

function chat(client: Client, call: GrpcCall, timeoutMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const deadline = Date.now() + timeoutMs;
    const stream = client.makeBidiStreamRequest(pathOf(call), bytes, bytes, metadataOf(call), { deadline });
    const [first, ...rest] = call.messages ?? [];
    const heard: string[] = [];
    let headers = {};
    stream.on("metadata", (metadata) => {
      headers = flat(metadata);
    });
    // Each message waits for the answer to the one before: nobody on the way may hold them back.
    stream.on("data", (message: Buffer) => {
      heard.push(message.toString());
      const next = rest.shift();
      if (next === undefined) stream.end();
      else stream.write(Buffer.from(next));
    });
    stream.on("error", () => {});
    stream.on("status", (status) => resolve(outcomeOf(status, headers, heard.join("\n"))));
    stream.write(Buffer.from(first ?? ""));
  });
}
