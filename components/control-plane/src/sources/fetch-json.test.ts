import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { ip } from "@meltemi/model";
import { fetchJson } from "./fetch-json.ts";
import { isForbiddenAddress, LOOPBACK } from "./outbound-guard.ts";

const forbidden = [
  "169.254.169.254",
  "169.254.1.1",
  "::ffff:169.254.169.254",
  "fe80::1",
  "fd00:ec2::254",
  "100.100.100.200",
  "192.0.0.192",
  "0.0.0.0",
  "::",
  "64:ff9b::a9fe:a9fe",
];
for (const address of forbidden)
  test(`never asked: ${address}`, () => assert.ok(isForbiddenAddress(ip(address), [])));
test("others may be, but for what is blocked", () => {
  for (const address of ["10.0.0.1", "127.0.0.1", "1.1.1.1", "fd00::1"])
    assert.ok(!isForbiddenAddress(ip(address), []));
  for (const address of ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
    assert.ok(isForbiddenAddress(ip(address), LOOPBACK));
});

async function serving<T>(listener: RequestListener, use: (base: string) => Promise<T>): Promise<T> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  try {
    return await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const OPEN = { timeoutMs: 2000, blocked: [] };

test("a document, also behind a redirect", async () => {
  const listener: RequestListener = (request, response) => {
    if (request.url === "/moved") response.writeHead(302, { location: "/keys" }).end();
    else response.end('{"keys":[]}');
  };
  await serving(listener, async (base) => {
    assert.deepEqual(await fetchJson(`${base}/keys`, OPEN), { keys: [] });
    assert.deepEqual(await fetchJson(`${base}/moved`, OPEN), { keys: [] });
  });
});

describe("refused", () => {
  const cases: readonly (readonly [string, RequestListener, RegExp])[] = [
    ["not JSON", (_, response) => response.end("<html>"), /expected JSON/],
    ["another status", (_, response) => response.writeHead(404).end(), /expected status 200, got 404/],
    [
      "a redirect to the machine's secrets",
      (_, response) => response.writeHead(302, { location: "http://169.254.169.254/latest" }).end(),
      /169\.254\.169\.254 is not one that may be asked/,
    ],
    [
      "a redirect to a file",
      (_, response) => response.writeHead(302, { location: "file:///etc/shadow" }).end(),
      /expected an http or https URL/,
    ],
    [
      "a redirect without end",
      (_, response) => response.writeHead(302, { location: "/again" }).end(),
      /at most 3 redirects/,
    ],
    [
      "a body without end",
      (_, response) => response.end(Buffer.alloc(2 * 1024 * 1024)),
      /at most 1048576 bytes/,
    ],
    ["a connection that is cut", (_, response) => response.destroy(), /socket hang up/],
  ];
  for (const [name, listener, says] of cases)
    test(name, () => serving(listener, (base) => assert.rejects(fetchJson(base, OPEN), says)));

  test("an answer that never comes", () =>
    serving(
      () => undefined,
      (base) => assert.rejects(fetchJson(base, { timeoutMs: 50, blocked: [] })),
    ));
  test("a body that never ends", () =>
    serving(
      (_, response) => void response.write("{"),
      (base) => assert.rejects(fetchJson(base, { timeoutMs: 50, blocked: [] })),
    ));
  test("blocked addresses, as literals and as names", () =>
    serving(
      (_, response) => response.end("{}"),
      async (base) => {
        const guarded = { timeoutMs: 2000, blocked: LOOPBACK };
        await assert.rejects(fetchJson(base, guarded), /127\.0\.0\.1 is not one that may be asked/);
        const port = new URL(base).port;
        await assert.rejects(fetchJson(`http://localhost:${port}`, guarded), /is not one that may be asked/);
        await assert.rejects(fetchJson("http://2852039166/", guarded), /169\.254\.169\.254/);
      },
    ));
  test("what is no URL", () => assert.rejects(fetchJson("keys", OPEN), /expected an http or https URL/));
});
