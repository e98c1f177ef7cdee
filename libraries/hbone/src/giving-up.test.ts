/** Callers that give up, which looks much like an attack (CVE-2023-44487). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ErrorCode, FrameType } from "@meltemi/http/http2-transport";
import { frame, headersFrame, uint32 } from "@meltemi/testkit";
import { CONNECT, Endpoint, PREFACE } from "./frames.fixture.ts";

const OPEN = headersFrame(1, CONNECT);
/** At once, by one client. */
const RAPID_RESETS_PERMITTED = 1000;

test("callers that give up on a port which hangs do not end the connection of others", () => {
  const endpoint = new Endpoint("server");
  endpoint.receive(PREFACE, OPEN);
  const healthy = endpoint.requests[0]?.stream;
  healthy?.respond(200, [], false);
  const [callers, giveUpMs, lastMs] = [90, 250, 60_000];
  let [opened, reset] = [1, 1];
  for (let nowMs = 0; nowMs <= lastMs; nowMs += giveUpMs) {
    endpoint.nowMs = nowMs;
    for (; reset < opened; reset++)
      endpoint.receive(frame(FrameType.rstStream, 0, 2 * reset + 1, uint32(ErrorCode.cancel)));
    for (const last = opened + callers; opened < last; opened++)
      endpoint.receive(headersFrame(2 * opened + 1, CONNECT));
    endpoint.takeOutput();
  }
  assert.equal(endpoint.failure, undefined);
  assert.ok(reset > 10 * RAPID_RESETS_PERMITTED);
  assert.equal(endpoint.http2.streams.size, 1 + callers);
  assert.equal(healthy?.gone, false);
});
