import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { type WebSocket, WebSocketServer } from "ws";
import { staticToken } from "../access.ts";
import { createForwardReader, readExecFrame } from "./channel-frames.ts";
import { createPodStreams, type PodStreams } from "./pod-streams.ts";

interface Asked {
  readonly url: string;
  readonly authorization: string | undefined;
}

/** An API server that upgrades everything under `/api/v1/namespaces/a/pods/b`, and refuses the rest. */
async function withServer(
  serve: (socket: WebSocket) => void,
  use: (streams: PodStreams, asked: Asked[]) => Promise<void>,
): Promise<void> {
  const asked: Asked[] = [];
  const sockets = new WebSocketServer({ noServer: true });
  const server = createServer();
  server.on("upgrade", (request, socket, head) => {
    asked.push({ url: request.url ?? "", authorization: request.headers.authorization });
    if (request.url?.startsWith("/api/v1/namespaces/a/pods/b/"))
      sockets.handleUpgrade(request, socket, head, serve);
    else {
      const body = JSON.stringify({ reason: "Forbidden", message: "you may not", code: 403 });
      socket.end(`HTTP/1.1 403 Forbidden\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const access = {
    server: new URL(`http://127.0.0.1:${port}`),
    token: staticToken("t0ken"),
    defaultNamespace: "default",
  };
  try {
    await use(createPodStreams(access), asked);
  } finally {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const pod = { namespace: "a", name: "b" };
const frame = (channel: number, text: string): Buffer =>
  Buffer.concat([Buffer.of(channel), Buffer.from(text)]);

async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = "";
  for await (const chunk of stream) text += chunk.toString();
  return text;
}

test("a command's input and output, and its end", async () => {
  await withServer(
    (socket) =>
      socket.on("message", (message: Buffer) => {
        if (message[0] !== 0) return;
        socket.send(frame(1, message.subarray(1).toString().toUpperCase()));
        socket.send(frame(3, JSON.stringify({ status: "Success" })));
      }),
    async (streams, asked) => {
      const stream = await streams.exec(pod, { container: "main", command: ["tr", "a b"] });
      stream.write("hello");
      assert.equal(await textOf(stream), "HELLO");
      assert.equal(asked[0]?.authorization, "Bearer t0ken");
      assert.match(asked[0]?.url ?? "", /exec\?stdin=true&.*container=main&command=tr&command=a\+b$/);
    },
  );
});

const failures = [
  {
    name: "a command that fails tells what it wrote to standard error",
    serve: (socket: WebSocket) => {
      socket.send(frame(2, "no such file"));
      socket.send(frame(3, JSON.stringify({ status: "Failure", message: "exit status 2" })));
    },
    want: /exec in pod a\/b: exit status 2: no such file/,
  },
  {
    name: "a connection that closes before the command ended is broken",
    serve: (socket: WebSocket) => socket.close(),
    want: /the connection broke/,
  },
  {
    name: "a channel there is not",
    serve: (socket: WebSocket) => socket.send(frame(9, "x")),
    want: /expected channel 1, 2 or 3, got 9/,
  },
];
for (const { name, serve, want } of failures)
  test(name, async () => {
    await withServer(serve, async (streams) => {
      const stream = await streams.exec(pod, { command: ["x"] });
      await assert.rejects(textOf(stream), want);
    });
  });

test("a forwarded port: both channels begin with its number", async () => {
  await withServer(
    (socket) => {
      for (const channel of [0, 1]) socket.send(Buffer.of(channel, 0x98, 0x3a));
      socket.on("message", (message: Buffer) => {
        socket.send(message);
        socket.close();
      });
    },
    async (streams, asked) => {
      const stream = await streams.forward(pod, 15000);
      stream.write("x".repeat(20_000));
      assert.equal((await textOf(stream)).length, 20_000);
      assert.match(asked[0]?.url ?? "", /portforward\?ports=15000$/);
    },
  );
});

test("a port on which nobody listens", async () => {
  await withServer(
    (socket) => {
      for (const channel of [0, 1]) socket.send(Buffer.of(channel, 0x98, 0x3a));
      socket.send(frame(1, "connection refused"));
    },
    async (streams) => {
      const stream = await streams.forward(pod, 15000);
      await assert.rejects(textOf(stream), /forward port 15000 of pod a\/b: connection refused/);
    },
  );
});

test("a refusal is a status error in the server's words", async () => {
  await withServer(
    () => assert.fail("upgraded"),
    async (streams) => {
      const asking = streams.forward({ namespace: "a", name: "other" }, 1);
      await assert.rejects(asking, { code: "FORBIDDEN", message: /HTTP 403 Forbidden: you may not/ });
    },
  );
});

test("any message is a frame or is said to be bad", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 })), (messages) => {
      const read = createForwardReader();
      for (const message of messages) {
        assert.ok(readExecFrame(Buffer.from(message)).kind !== undefined);
        assert.ok(read(Buffer.from(message)).kind !== undefined);
      }
    }),
    { numRuns: 300 },
  );
});
