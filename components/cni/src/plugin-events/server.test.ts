import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { dirname } from "node:path";
import { test } from "node:test";
import { createLogger, LogFilter } from "@meltemi/runtime";
import { createFakeClock, createTemporaryFolder, eventually } from "@meltemi/testkit";
import type { EnrolNewPod } from "./enrol-new-pod.ts";
import { startPluginEventServer } from "./server.ts";

const sink = {
  filter: new LogFilter("off"),
  format: "plain",
  nowMs: () => 0,
  write: () => undefined,
} as const;
const EVENT = JSON.stringify({ Netns: "/run/netns/one", PodName: "one", PodNamespace: "default", IPs: [] });

async function makeServer(enrol: EnrolNewPod) {
  const folder = await createTemporaryFolder("cni");
  const path = folder.file("pluginevent.sock");
  // Left behind by a run that was killed.
  writeFileSync(path, "");
  const clock = createFakeClock();
  const server = await startPluginEventServer(path, {
    enrol,
    clock,
    log: createLogger(sink, "t"),
    onRequest: () => undefined,
  });
  const post = (body: string, url = "/cmdadd", method = "POST"): Promise<string> =>
    new Promise((resolve, reject) => {
      const call = request({ socketPath: path, path: url, method }, (response) => {
        response
          .toArray()
          .then((chunks) => resolve(`${response.statusCode} ${Buffer.concat(chunks)}`.trim()), reject);
      });
      call.on("error", reject);
      call.end(body);
    });
  return {
    path,
    post,
    clock,
    close: () => server.close(),
    async [Symbol.asyncDispose]() {
      await server.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

test("only a well-formed POST /cmdadd reaches enrolment", async () => {
  let enrolled = 0;
  await using server = await makeServer(async () => void enrolled++);
  assert.equal(await server.post(EVENT), "200");
  assert.match(await server.post(EVENT, "/"), /^404/);
  assert.match(await server.post("", "/cmdadd", "GET"), /^404/);
  assert.match(await server.post("{"), /^400 body: expected JSON/);
  assert.match(await server.post(" ".repeat(100_000)), /^400 body: expected at most 65536 bytes/);
  assert.equal(enrolled, 1);
});

test("a refusal says why", async () => {
  await using server = await makeServer(() => Promise.reject(new Error("no ztunnel is connected")));
  assert.equal(await server.post(EVENT), "500 no ztunnel is connected");
});

test("an enrolment that takes too long is told so before the plugin gives up", async () => {
  let told: AbortSignal | undefined;
  await using server = await makeServer((_, signal) => {
    told = signal;
    return new Promise(() => undefined);
  });
  const answer = server.post(EVENT);
  await eventually(() => told !== undefined);
  server.clock.advance(4_500);
  assert.match(await answer, /^500 enrol the pod: not done within 4500 ms/);
  assert.equal(told?.aborted, true);
});

test("only its owner may call, and nothing but the socket is left in the folder", async () => {
  await using server = await makeServer(async () => undefined);
  assert.equal(statSync(server.path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(dirname(server.path)), ["pluginevent.sock"]);
});

test("an agent that ends leaves the socket of its successor alone", async () => {
  await using server = await makeServer(() => Promise.reject(new Error("the old agent")));
  const successor = await startPluginEventServer(server.path, {
    enrol: async () => undefined,
    clock: server.clock,
    log: createLogger(sink, "t"),
    onRequest: () => undefined,
  });
  await server.close();
  assert.equal(await server.post(EVENT), "200");
  await successor.close();
  assert.equal(existsSync(server.path), false);
});
