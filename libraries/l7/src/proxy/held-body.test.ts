import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { HeldBody, HeldBytes } from "./held-body.ts";

const MiB = 1024 * 1024;

test("what was held is what passed, however it was cut, and all of it is given back", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 9000 }), { maxLength: 40 }), (pieces) => {
      const shared = new HeldBytes(MiB);
      const held = new HeldBody(shared);
      const lent = new Uint8Array(9000);
      for (const piece of pieces) {
        lent.set(piece);
        held.hold(lent.subarray(0, piece.length));
        lent.fill(0);
      }
      assert.deepEqual(Buffer.concat(held.chunks), Buffer.concat(pieces));
      held.release();
      assert.equal(shared.bytes, 0);
    }),
    { numRuns: 100 },
  );
});

test("bytes that come one by one take no more memory than those that come together", () => {
  const held = new HeldBody(new HeldBytes(2 * MiB));
  for (let count = 0; count < 200_000; count++) held.hold(Buffer.of(count));
  assert.ok(held.chunks.length < 50);
  assert.equal(Buffer.concat(held.chunks).length, 200_000);
});

test("too long for one, or for all together: not held any more, and given back", () => {
  const shared = new HeldBytes(MiB);
  const [first, second] = [new HeldBody(shared), new HeldBody(shared)];
  first.hold(new Uint8Array(700_000));
  second.hold(new Uint8Array(700_000));
  assert.deepEqual([first.isComplete, second.isComplete], [true, false]);
  first.hold(new Uint8Array(400_000));
  assert.equal(first.isComplete, false);
  assert.equal(shared.bytes, 0);
});

test("given back when the last who shares it is done, whoever that is", () => {
  const shared = new HeldBytes(MiB);
  const held = new HeldBody(shared);
  held.hold(new Uint8Array(1000));
  held.share();
  held.release();
  assert.equal(Buffer.concat(held.chunks).length, 1000);
  held.release();
  assert.equal(shared.bytes, 0);
  assert.equal(held.chunks.length, 0);
});
