/**
 * HBONE as a server, the streams (reference: protocol §1.6, §1.8, §1.9; RFC 9113): settings, windows, half-close, resets, limits
 * and drain of our ztunnel's port 15008 against node:http2 and against frames by hand.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { constants } from "node:http2";
import type { Socket } from "node:net";
import { after, before, test } from "node:test";
import { eventually, frame, headersFrame } from "@meltemi/testkit";
import { createForeignAuthority, type ForeignAuthority } from "./foreign-authority.fixture.ts";
import {
  answerOf,
  connectFrame,
  open,
  rawConnection,
  read,
  session,
  statusOf,
  tls,
} from "./foreign-hbone-client.fixture.ts";
import { type ForeignIstiod, startForeignIstiod } from "./foreign-istiod.fixture.ts";
import { basicMesh, OUR_ADDRESS, type OurZtunnel, startApplication, startScene } from "./ztunnel.fixture.ts";

const MIB = 1024 * 1024;
const HEADERS = 1;
const RST_STREAM = 3;
const GOAWAY = 7;
const deadline = { timeout: 20_000 };

let authority: ForeignAuthority;
let istiod: ForeignIstiod;
let ours: OurZtunnel;
let app: Awaited<ReturnType<typeof startApplication>>;
/** What the application does with its next connections. */
let serve: (socket: Socket) => void;
const echo = (socket: Socket): void => void socket.pipe(socket);
const call = (where = ours) => ({ authority, ours: where });

before(async () => {
  authority = createForeignAuthority();
  istiod = await startForeignIstiod(authority);
  app = await startApplication(OUR_ADDRESS, (socket) => serve(socket));
  ours = await startScene(authority, istiod, {}, basicMesh(app.port));
});
after(async () => {
  await ours?.[Symbol.asyncDispose]();
  await istiod?.[Symbol.asyncDispose]();
  await app?.[Symbol.asyncDispose]();
  authority?.[Symbol.dispose]();
});

test("§1.6 settings: 200 streams, 4 MiB and 16 MiB windows, frames of 1 MiB, 64 KiB of headers", async () => {
  const client = await session(call());
  const { maxConcurrentStreams, initialWindowSize, maxFrameSize, maxHeaderListSize } = client.remoteSettings;
  assert.deepEqual(
    { maxConcurrentStreams, initialWindowSize, maxFrameSize, maxHeaderListSize },
    { maxConcurrentStreams: 200, initialWindowSize: 4 * MIB, maxFrameSize: MIB, maxHeaderListSize: 65_536 },
  );
  await eventually(() => client.state.remoteWindowSize === 16 * MIB);
  assert.notEqual(client.remoteSettings.enableConnectProtocol, true, "plain CONNECT only");
  client.destroy();
});

test("§1.6 PING is answered", async () => {
  const client = await session(call());
  const payload = Buffer.from("12345678");
  const answer = await new Promise<Buffer>((resolve, reject) =>
    client.ping(payload, (error, _ms, echoed) => (error ? reject(error) : resolve(echoed))),
  );
  assert.deepEqual(answer, payload);
  client.destroy();
});

test("§1.6 a header list over 64 KiB is 431, and the connection goes on", async () => {
  serve = (socket) => socket.end();
  const client = await session(call(), { maxSendHeaderBlockLength: 1e6 });
  const large = Object.fromEntries(
    Array.from({ length: 20 }, (_, index) => [`x-${index}`, "v".repeat(3400)]),
  );
  assert.equal((await answerOf(open(client, `${OUR_ADDRESS}:${app.port}`, large)))[":status"], 431);
  assert.equal(await statusOf(client, `${OUR_ADDRESS}:${app.port}`), 200);
  client.destroy();
});

test(
  "§1.6 100 streams at once, as an Istio ztunnel opens them, each with its own bytes",
  deadline,
  async () => {
    serve = echo;
    const client = await session(call());
    const one = async (index: number): Promise<void> => {
      const stream = open(client, `${OUR_ADDRESS}:${app.port}`);
      stream.end(`${index};`.repeat(5000));
      assert.equal(String(await read(stream)), `${index};`.repeat(5000));
    };
    await Promise.all(Array.from({ length: 100 }, (_, index) => one(index)));
    client.destroy();
  },
);

test(
  "§1.6 the 201st stream is refused with REFUSED_STREAM, so that its client may try elsewhere",
  deadline,
  async () => {
    serve = () => undefined;
    using raw = await rawConnection(call());
    for (let index = 0; index <= 200; index++)
      raw.send(connectFrame(2 * index + 1, `${OUR_ADDRESS}:${app.port}`));
    const reset = await raw.seen(({ type }) => type === RST_STREAM);
    assert.deepEqual(
      [reset.streamId, reset.payload.readUInt32BE(0)],
      [401, constants.NGHTTP2_REFUSED_STREAM],
    );
    await raw.seen(({ type, streamId }) => type === HEADERS && streamId === 399);
  },
);

test("§1.6 windows of the client are kept to, small and growing", deadline, async () => {
  serve = (socket) => void socket.end(Buffer.alloc(MIB, 5));
  const client = await session(call(), { settings: { initialWindowSize: 1000 } });
  const stream = open(client, `${OUR_ADDRESS}:${app.port}`);
  assert.equal((await read(stream)).length, MIB);
  client.destroy();
});

test("§1.8 a client that does not read holds up the application, and loses nothing", deadline, async () => {
  let sent = 0;
  let blocked = false;
  serve = (socket) => {
    const write = (): void => {
      while (sent < 64 * MIB && !blocked) {
        sent += MIB;
        blocked = !socket.write(Buffer.alloc(MIB, 1));
      }
      if (sent >= 64 * MIB) socket.end();
    };
    socket.on("drain", () => {
      blocked = false;
      write();
    });
    write();
  };
  const client = await session(call());
  const stalled = open(client, `${OUR_ADDRESS}:${app.port}`);
  await answerOf(stalled);
  stalled.pause();
  let before = -1;
  await eventually(
    () => {
      const still = before === sent;
      before = sent;
      return still && blocked;
    },
    { everyMs: 100 },
  );
  assert.ok(sent < 40 * MIB, `${sent} bytes were taken for a client that read nothing`);
  assert.equal((await read(stalled)).length, 64 * MIB);
  client.destroy();
});

test(
  "§1.8 half-close from the client: the application reads its end and still answers",
  deadline,
  async () => {
    serve = (socket) => void read(socket).then((all) => socket.end(`got ${all.length}`));
    const client = await session(call());
    const stream = open(client, `${OUR_ADDRESS}:${app.port}`);
    stream.end("12345");
    assert.equal(String(await read(stream)), "got 5");
    client.destroy();
  },
);

test("§1.8 half-close from the application: the client reads its end and still sends", deadline, async () => {
  const received = Promise.withResolvers<string>();
  serve = (socket) => {
    socket.end("bye");
    void read(socket).then((all) => received.resolve(String(all)));
  };
  const client = await session(call());
  const stream = open(client, `${OUR_ADDRESS}:${app.port}`);
  assert.equal(String(await read(stream)), "bye");
  stream.end("after the end");
  assert.equal(await received.promise, "after the end");
  client.destroy();
});

for (const code of [constants.NGHTTP2_INTERNAL_ERROR, constants.NGHTTP2_CANCEL])
  test(
    `§1.8 a stream reset with code ${code} ends the application's connection, and no other stream`,
    deadline,
    async () => {
      const ended = Promise.withResolvers<void>();
      serve = (socket) => {
        socket.on("close", () => ended.resolve());
        socket.on("end", () => socket.end());
        socket.resume();
      };
      const client = await session(call());
      const stream = open(client, `${OUR_ADDRESS}:${app.port}`);
      await answerOf(stream);
      stream.close(code);
      await ended.promise;
      serve = echo;
      const other = open(client, `${OUR_ADDRESS}:${app.port}`);
      other.end("on");
      assert.equal(String(await read(other)), "on");
      client.destroy();
    },
  );

test(
  "§1.8 RST_STREAM with NO_ERROR is an end: the application reads EOF, not a reset",
  deadline,
  async () => {
    const ended = Promise.withResolvers<string>();
    serve = (socket) => {
      socket.on("error", (error) => ended.resolve(`error ${error.message}`));
      socket.on("end", () => ended.resolve("end"));
      socket.resume();
    };
    const client = await session(call());
    const stream = open(client, `${OUR_ADDRESS}:${app.port}`);
    await answerOf(stream);
    stream.close(constants.NGHTTP2_NO_ERROR);
    assert.equal(await ended.promise, "end");
    client.destroy();
  },
);

test("§1.8 an application that breaks off resets its stream, and no other", deadline, async () => {
  serve = (socket) => socket.once("data", () => socket.resetAndDestroy());
  const client = await session(call());
  const stream = open(client, `${OUR_ADDRESS}:${app.port}`);
  await answerOf(stream);
  stream.write("x");
  await new Promise((resolve) => stream.once("close", resolve));
  assert.notEqual(stream.rstCode, constants.NGHTTP2_NO_ERROR);
  serve = echo;
  assert.equal(await statusOf(client, `${OUR_ADDRESS}:${app.port}`), 200);
  client.destroy();
});

const VIOLATIONS: readonly (readonly [string, () => Buffer, type: number, code: number])[] = [
  [
    "CONNECT with :scheme and :path",
    () =>
      headersFrame(1, [
        [":method", "CONNECT"],
        [":scheme", "https"],
        [":path", "/"],
        [":authority", `${OUR_ADDRESS}:80`],
      ]),
    RST_STREAM,
    constants.NGHTTP2_PROTOCOL_ERROR,
  ],
  [
    "CONNECT without :authority",
    () => headersFrame(1, [[":method", "CONNECT"]]),
    RST_STREAM,
    constants.NGHTTP2_PROTOCOL_ERROR,
  ],
  [
    "DATA on an idle stream",
    () => frame(0, 0, 1, Buffer.from("x")),
    GOAWAY,
    constants.NGHTTP2_PROTOCOL_ERROR,
  ],
  [
    "a frame larger than announced",
    () => frame(0, 0, 1, Buffer.alloc(MIB + 1)),
    GOAWAY,
    constants.NGHTTP2_FRAME_SIZE_ERROR,
  ],
  [
    "a stream of an even number",
    () => connectFrame(2, `${OUR_ADDRESS}:80`),
    GOAWAY,
    constants.NGHTTP2_PROTOCOL_ERROR,
  ],
];

for (const [name, bytes, type, code] of VIOLATIONS)
  test(`RFC 9113: ${name} is answered with error ${code}`, deadline, async () => {
    using raw = await rawConnection(call());
    raw.send(bytes());
    const seen = await raw.seen((one) => one.type === type);
    assert.equal(seen.payload.readUInt32BE(type === GOAWAY ? 4 : 0), code);
  });

test(
  "§1.9 a drain sends GOAWAY, lets streams finish, and cuts the rest at the deadline",
  deadline,
  async () => {
    serve = echo;
    await using own = await startScene(
      authority,
      istiod,
      { env: { CONNECTION_TERMINATION_DEADLINE: "1s" } },
      basicMesh(app.port),
    );
    const client = await session(call(own));
    const stream = open(client, `${OUR_ADDRESS}:${app.port}`);
    const hanging = open(client, `${OUR_ADDRESS}:${app.port}`);
    assert.equal((await answerOf(stream))[":status"], 200);
    assert.equal((await answerOf(hanging))[":status"], 200);
    const goaway = once(client, "goaway");
    const stopped = own.ztunnel.shutdown();
    const [code] = (await goaway) as [number];
    assert.equal(code, constants.NGHTTP2_NO_ERROR);
    stream.end("last words");
    assert.equal(String(await read(stream)), "last words");
    const refused = tls(call(own));
    await new Promise((resolve) => refused.once("close", resolve));
    await Promise.all([new Promise((resolve) => hanging.once("close", resolve)), stopped]);
  },
);
