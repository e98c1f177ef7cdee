/** grpc-js as client and as server, with a proxy of ours between them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  credentials,
  Server as GrpcServer,
  Metadata,
  makeGenericClientConstructor,
  type requestCallback,
  ServerCredentials,
  type ServiceDefinition,
  type ServiceError,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { eventually } from "@meltemi/testkit";
import type { ClientConnection, ServerExchange } from "../exchange.ts";
import { OurServer, ourClient } from "./peers.fixture.ts";

const same = (bytes: Buffer): Buffer => bytes;
const method = (
  path: string,
  requestStream: boolean,
  responseStream: boolean,
): ServiceDefinition[string] => ({
  path: `/test.Echo/${path}`,
  requestStream,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});
const ECHO: ServiceDefinition = { Unary: method("Unary", false, false), Chat: method("Chat", true, true) };

const IMPLEMENTATION: UntypedServiceImplementation = {
  Unary: (call: { request: Buffer }, done: requestCallback<Buffer>) => {
    if (call.request.toString() !== "fail") return done(null, call.request);
    const metadata = new Metadata();
    metadata.set("x-why", "asked");
    return done({ code: 9, details: "as asked", metadata, name: "", message: "" });
  },
  Chat: (call: NodeJS.ReadWriteStream) => {
    call.on("data", (message) => call.write(message));
    call.on("end", () => call.end());
  },
};

/** A proxy of one upstream connection, made of our two halves and nothing else. */
function proxyTo(client: ClientConnection): (exchange: ServerExchange) => void {
  return (exchange) => {
    const upstream = client.send(exchange.request, exchange.requestEnded, {
      onInformational: (status, headers) => exchange.inform(status, headers),
      onResponse: (response, ended) => exchange.respond(response, ended),
      onData: (chunk, lent) => {
        if (!exchange.write(chunk, lent)) upstream.pause();
      },
      onEnd: (trailers) => exchange.end(trailers),
      onWritable: () => exchange.resume(),
      onFault: () => exchange.abort("upstream-failed"),
    });
    exchange.receive({
      onData: (chunk, lent) => {
        if (!upstream.write(chunk, lent)) exchange.pause();
      },
      onEnd: (trailers) => {
        if (!exchange.requestEnded) upstream.end(trailers);
      },
      onWritable: () => upstream.resume(),
      onFault: () => upstream.abort("cancelled"),
    });
  };
}

test("grpc-js on both sides of a proxy of ours: unary, status in trailers, streaming, cancellation", async () => {
  const grpc = new GrpcServer();
  grpc.addService(ECHO, IMPLEMENTATION);
  const port = await new Promise<number>((done, fail) =>
    grpc.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? done(bound) : fail(error),
    ),
  );
  const upstream = await ourClient(port);
  await using proxy = await OurServer.start(proxyTo(upstream));
  const Client = makeGenericClientConstructor(ECHO, "test.Echo");
  const client = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure());
  const unary = (text: string): Promise<string | ServiceError> =>
    new Promise((done) => {
      client["Unary"]?.(Buffer.from(text), (error: ServiceError | null, answer: Buffer) =>
        done(error ?? answer.toString()),
      );
    });
  assert.equal(await unary("hello"), "hello");
  const failure = await unary("fail");
  assert.ok(typeof failure !== "string");
  assert.deepEqual(
    [failure.code, failure.details, failure.metadata.get("x-why")],
    [9, "as asked", ["asked"]],
  );
  const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => unary(String(index))));
  assert.deepEqual(
    answers,
    answers.map((_, index) => String(index)),
  );
  const chat = client["Chat"]?.() as unknown as NodeJS.ReadWriteStream & { cancel(): void };
  let received = 0;
  chat.on("data", (message: Buffer) => {
    received += message.length;
  });
  for (let count = 0; count < 100; count++) chat.write(Buffer.alloc(50_000));
  chat.end();
  await new Promise((done) => chat.once("end", done));
  assert.equal(received, 5_000_000);
  const hanging = client["Chat"]?.() as unknown as NodeJS.ReadWriteStream & { cancel(): void };
  hanging.on("error", () => {});
  hanging.write(Buffer.from("x"));
  await new Promise((done) => hanging.once("data", done));
  assert.equal(upstream.active, 1);
  hanging.cancel();
  await eventually(() => upstream.active === 0);
  client.close();
  upstream.close();
  grpc.forceShutdown();
});
