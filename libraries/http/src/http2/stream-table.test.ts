import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Http2Stream } from "./stream.ts";
import { StreamTable } from "./stream-table.ts";

/** Only the number is looked at. */
const stream = (id: number): Http2Stream => ({ id }) as Http2Stream;

test("StreamTable does what a Map does, whatever comes and goes", () => {
  // Numbers that are far apart share slots, which streams one after the other do not.
  const id = fc.oneof(
    fc.integer({ min: 1, max: 60 }),
    fc.integer({ min: 1, max: 40 }).map((n) => n * 64 + 1),
  );
  fc.assert(
    fc.property(fc.array(id, { maxLength: 200 }), (ids) => {
      const table = new StreamTable();
      const map = new Map<number, Http2Stream>();
      for (const number of ids) {
        // The second time, it goes.
        if (map.has(number)) {
          map.delete(number);
          assert.equal(table.delete(number), true);
        } else {
          const added = stream(number);
          map.set(number, added);
          table.add(added);
        }
        assert.equal(table.size, map.size);
        for (const other of ids) assert.equal(table.get(other), map.get(other));
      }
      assert.deepEqual(new Set(table.all()), new Set(map.values()));
    }),
    { numRuns: 200 },
  );
});

test("StreamTable: what is not there is not deleted, and clear leaves none", () => {
  const table = new StreamTable();
  for (let id = 1; id < 200; id += 2) table.add(stream(id));
  assert.equal(table.delete(2), false);
  assert.equal(table.size, 100);
  table.clear();
  assert.equal(table.size, 0);
  assert.equal(table.get(1), undefined);
  assert.deepEqual(table.all(), []);
});
