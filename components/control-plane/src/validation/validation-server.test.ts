import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, type RequestOptions, request } from "node:https";
import { connect as connectTcp } from "node:net";
import { test } from "node:test";
import { connect } from "node:tls";
import { createLogger, LogFilter, systemClock } from "@meltemi/runtime";
import { createRegistry } from "@meltemi/telemetry";
import { createTestAuthority, eventually } from "@meltemi/testkit";
import type { KeyPair } from "../certificate-authority/server-certificate.ts";
import { createValidationMetrics } from "./validation-metrics.ts";
import { listenValidation, type ValidationServer } from "./validation-server.ts";

const NAME = "istiod.istio-system.svc";
const deadline = { timeout: 30_000 };

interface Served extends AsyncDisposable {
  readonly server: ValidationServer;
  readonly rootPem: string;
  readonly lines: readonly string[];
  renew(): void;
}

async function serve(): Promise<Served> {
  const authority = createTestAuthority();
  const pair = (): KeyPair => {
    const { cert, key } = authority.serverPem(NAME);
    return { certificate: cert, privateKey: key, notAfterMs: Number.POSITIVE_INFINITY };
  };
  const lines: string[] = [];
  const sink = {
    filter: new LogFilter("info"),
    format: "plain",
    nowMs: Date.now,
    write: (line: string) => void lines.push(line),
  } as const;
  let tell: (pair: KeyPair) => void = () => undefined;
  const server = await listenValidation("127.0.0.1:0", {
    metrics: createValidationMetrics(createRegistry()),
    clock: { ...systemClock, monotonicMs: () => 0 },
    log: createLogger(sink, "test"),
    onCertificate(listener) {
      tell = listener;
      listener(pair());
      return () => undefined;
    },
  });
  return {
    server,
    rootPem: authority.rootPem,
    lines,
    renew: () => tell(pair()),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Serial number of the certificate that a new connection is shown. */
function serialOf({ server: { port }, rootPem }: Served): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, ca: rootPem, servername: NAME }, () => {
      resolve(socket.getPeerCertificate().serialNumber);
      socket.destroy();
    });
    socket.on("error", reject);
  });
}

const REVIEW = JSON.stringify({
  apiVersion: "admission.k8s.io/v1",
  request: {
    uid: "u",
    operation: "DELETE",
    kind: { group: "security.istio.io", kind: "AuthorizationPolicy" },
  },
});

function post(
  { server: { port }, rootPem }: Served,
  overrides: RequestOptions = {},
): ReturnType<typeof request> {
  return request({
    host: "127.0.0.1",
    port,
    servername: NAME,
    ca: rootPem,
    method: "POST",
    path: "/validate",
    headers: { "content-type": "application/json", "content-length": Buffer.byteLength(REVIEW) },
    ...overrides,
  });
}

async function statusOf(call: ReturnType<typeof request>): Promise<number | undefined> {
  const [response] = (await once(call, "response")) as [IncomingMessage];
  response.resume();
  await once(response, "end");
  return response.statusCode;
}

test("a renewed certificate is shown to the next connection, without a restart", deadline, async () => {
  await using served = await serve();
  const before = await serialOf(served);
  assert.equal(await serialOf(served), before);
  served.renew();
  assert.notEqual(await serialOf(served), before);
});

test("as many writes at once as an API server has under way are all answered", deadline, async () => {
  await using served = await serve();
  const agent = new Agent({ keepAlive: true });
  const calls = Array.from({ length: 200 }, () => post(served, { agent }));
  const statuses = calls.map(statusOf);
  for (const call of calls) call.flushHeaders();
  await Promise.all(
    calls.map((call) => once(call, "socket").then(([socket]) => once(socket, "secureConnect"))),
  );
  for (const call of calls) call.end(REVIEW);
  assert.deepEqual(new Set(await Promise.all(statuses)), new Set([200]));
  agent.destroy();
});

test("one peer does not have all connections, and gets back what it gives back", deadline, async () => {
  await using served = await serve();
  const dial = () => connectTcp({ host: "127.0.0.1", port: served.server.port });
  const held = Array.from({ length: 300 }, dial);
  let closed = 0;
  for (const socket of held) socket.on("error", () => undefined).on("close", () => closed++);
  await eventually(() => closed === 300 - 256, { deadlineMs: 10_000 });
  for (const socket of held) socket.destroy();
  await eventually(async () => (await statusOf(post(served).end(REVIEW)).catch(() => 0)) === 200, {
    deadlineMs: 10_000,
  });
});

test(
  "in the end, a review that has begun gets its answer, the last one on its connection",
  deadline,
  async () => {
    const served = await serve();
    const call = post(served, { agent: new Agent({ keepAlive: true }) });
    const answered = once(call, "response") as Promise<[IncomingMessage]>;
    call.write(REVIEW.slice(0, 10));
    const [socket] = await once(call, "socket");
    await once(socket, "secureConnect");
    // By the time that a later connection has its certificate, the server has what came before.
    await serialOf(served);
    const ended = served[Symbol.asyncDispose]();
    call.end(REVIEW.slice(10));
    const [response] = await answered;
    response.resume();
    assert.deepEqual([response.statusCode, response.headers.connection], [200, "close"]);
    await ended;
  },
);

test("bodies that one peer holds back keep no other's review out", deadline, async () => {
  await using served = await serve();
  const headers = { "content-type": "application/json" };
  const held = Array.from({ length: 12 }, () => post(served, { headers, agent: false }));
  const refused = held.map((call) => statusOf(call).catch((error: NodeJS.ErrnoException) => error.code));
  for (const call of held) call.write(Buffer.alloc(4 * 1024 * 1024 - 1, 32));
  // All that is there is refused but three of the largest; a refusal may find the client still sending.
  let told = 0;
  for (const each of refused) void each.then(() => told++);
  await eventually(() => told === 12 - 3, { deadlineMs: 10_000 });
  assert.equal(await statusOf(post(served, { localAddress: "127.0.0.2" }).end(REVIEW)), 200);
  for (const call of held) call.destroy();
});

test("what is no review fills no log", deadline, async () => {
  await using served = await serve();
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  const asked = Array.from({ length: 300 }, () =>
    statusOf(post(served, { agent, path: "/other", headers: {} }).end()),
  );
  assert.deepEqual(new Set(await Promise.all(asked)), new Set([404]));
  // The bound is lines in a burst, and then lines a second: in this test no second passes.
  assert.equal(served.lines.length, 100);
  agent.destroy();
});
