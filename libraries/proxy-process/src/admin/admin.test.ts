import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { startHttpServer } from "./http.ts";
import { changeLogLevels, parseLogClauses } from "./log-levels.ts";
import { createReadiness, readinessAnswer } from "./readiness.ts";

test("ready when no task is pending, and not ready again", () => {
  const readiness = createReadiness();
  const proxy = readiness.task("proxy");
  const state = readiness.task("state manager");
  assert.deepEqual(readinessAnswer(readiness.pending()), {
    status: 500,
    body: "not ready, pending: proxy, state manager\n",
  });
  proxy.done();
  state.done();
  assert.deepEqual(readinessAnswer(readiness.pending()), { status: 200, body: "ready\n" });
  state.pending();
  assert.equal(readinessAnswer(readiness.pending()).status, 500);
});

for (const [text, want] of [
  ["info", [{ level: "info", scope: undefined }]],
  [
    "info,access=debug",
    [
      { level: "info", scope: undefined },
      { level: "debug", scope: "access" },
    ],
  ],
  ["ztunnel::proxy=trace", [{ level: "trace", scope: "proxy" }]],
  ["", []],
  ["access", undefined],
  ["access:debug", undefined],
  ["=debug", undefined],
  ["access=debug=x", undefined],
] as const)
  test(`log clauses ${JSON.stringify(text)}`, () => assert.deepEqual(parseLogClauses(text), want));

test("log levels are asked, changed and reset", () => {
  const filter = new LogFilter("info");
  const post = (query: string) => changeLogLevels(filter, "info,dns=off", "POST", new URLSearchParams(query));
  assert.equal(post("").body, "current log level is info\n");
  assert.equal(post("level=access=debug").body, "current log level is access=debug,info\n");
  assert.equal(post("level=warn").body, "current log level is access=debug,warn\n");
  assert.equal(post("reset").body, "current log level is dns=off,info\n");
  assert.equal(post("level=access").status, 400);
  assert.equal(post("lvl=debug").status, 400);
  assert.equal(changeLogLevels(filter, "info", "GET", new URLSearchParams()).status, 405);
});

test("an HTTP server answers, compresses what is worth it, and refuses garbage", async () => {
  const logger = createLogger(
    { filter: new LogFilter("off"), format: "plain", nowMs: () => 0, write: () => undefined },
    "t",
  );
  const handle = (request: { path: string }) => {
    if (request.path === "/fail") throw new Error("broken");
    return { status: 200, body: request.path === "/long" ? "x".repeat(5000) : "short" };
  };
  const server = await startHttpServer({ host: "127.0.0.1", port: 0 }, handle, logger);
  try {
    const base = `http://127.0.0.1:${server.port}`;
    assert.equal(await (await fetch(`${base}/`)).text(), "short");
    const long = await fetch(`${base}/long`);
    assert.equal(long.headers.get("content-encoding"), "gzip");
    assert.equal((await long.text()).length, 5000);
    assert.equal((await fetch(`${base}/fail`)).status, 500);
    await assert.rejects(
      startHttpServer({ host: "127.0.0.1", port: server.port }, handle, logger),
      /EADDRINUSE/,
    );
  } finally {
    await server.close();
  }
});
