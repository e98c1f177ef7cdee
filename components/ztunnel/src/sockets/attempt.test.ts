import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { test } from "node:test";
import type { AbortReason, RelaySession } from "@meltemi/l4";
import { Attempt } from "./attempt.ts";

const ENDINGS = {
  "the socket closes": () => {
    const socket = new EventEmitter();
    const attempt = Attempt.of(socket as Socket);
    return { attempt, act: () => void socket.emit("close"), left: () => socket.listenerCount("close") };
  },
  "the signal is aborted": () => {
    const controller = new AbortController();
    const attempt = Attempt.following(controller.signal);
    return { attempt, act: () => controller.abort(), left: () => 0 };
  },
  "this process ends it": () => {
    const attempt = Attempt.of(new EventEmitter() as Socket);
    return { attempt, act: () => attempt.cut("drain"), left: () => 0 };
  },
} as const;

for (const [name, make] of Object.entries(ENDINGS)) {
  test(`an attempt is over when ${name}`, () => {
    const { attempt, act } = make();
    const { signal } = attempt;
    assert.equal(signal.aborted, false);
    act();
    assert.equal(signal.aborted, true);
    assert.equal(attempt.signal.aborted, true);
    assert.equal(
      attempt.cutBecause,
      name === "this process ends it" ? "connection closed due to connection drain" : undefined,
    );
  });

  test(`settled before ${name}: nobody is told`, () => {
    const { attempt, act, left } = make();
    const { signal } = attempt;
    attempt.settle();
    act();
    assert.equal(signal.aborted, false);
    assert.equal(left(), 0);
  });
}

test("following a signal that is aborted already", () => {
  assert.equal(Attempt.following(AbortSignal.abort()).signal.aborted, true);
});

test("cut before it is carried or after, the relay is aborted for that reason", () => {
  for (const cutFirst of [true, false]) {
    const attempt = Attempt.of(new EventEmitter() as Socket);
    const reasons: AbortReason[] = [];
    const session = { abort: (reason: AbortReason) => void reasons.push(reason) } as RelaySession;
    if (cutFirst) attempt.cut("drain");
    attempt.carry(session);
    assert.deepEqual(reasons, cutFirst ? ["drain"] : []);
    attempt.cut("policy");
    assert.equal(reasons.at(-1), "policy");
  }
});
